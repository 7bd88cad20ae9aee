"""The provider itself: what it lists, and how it answers those who have no key."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import httpx2
from pydantic import JsonValue, SecretStr

from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.sources.http import Answer, ask
from modelscan.sources.source import Source, SourceRequest
from modelscan.types import Frozen, SourceGap, SourceRecord

__all__ = ["PROVIDER", "Observation", "candidates", "observations_of"]

NAME = "provider"
_MAX_BYTES = 8 * 2**20
_MAX_MODELS = 5_000
_MAX_TEXT = 200
_KEY_HEADERS = (("Authorization", "Bearer"), ("x-api-key", ""), ("api-key", ""))


class Observation(Frozen):
    """How one request was answered. Never holds a key or a header that carried one."""

    base_url: str
    method: Literal["GET", "POST"]
    path: str
    with_key: bool = False
    key_header: str | None = None
    status: int
    content_type: str = ""
    shape: Literal["models", "error", "json", "other"]
    models: tuple[str, ...] = ()
    message: str = ""


def candidates(base_url: str) -> tuple[str, ...]:
    """The base URL as given and its neighbour with or without `/v1`."""
    base = base_url.rstrip("/")
    return (base, base.removesuffix("/v1")) if base.endswith("/v1") else (base, f"{base}/v1")


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """Ask for the models, without and with the key, and for a chat with an empty body and no key, which is free."""
    if request.base_url is None or "${" in request.base_url:
        return None
    bases = candidates(request.base_url) if request.operator_named else (request.base_url.rstrip("/"),)
    try:
        ways = _KEY_HEADERS if request.operator_named else _KEY_HEADERS[:1]
        asked = [_observe(request.http, base, request.key, ways) for base in bases]
        seen = [one for some in await asyncio.gather(*asked) for one in some]
    except SourceUnavailable as error:
        return SourceGap(source=NAME, kind="unreachable", reason=error.message)
    except HostRefused as error:
        return SourceGap(source=NAME, kind="refused", reason=str(error))
    payload: JsonValue = {"observations": [one.model_dump(mode="json") for one in seen]}
    subject = request.identifier.provider
    return SourceRecord.of(source=NAME, subject=subject, url=bases[0], payload=payload, trusted=request.operator_named)


def observations_of(record: SourceRecord) -> tuple[Observation, ...]:
    """What a record of this source holds."""
    payload = record.payload
    seen = payload.get("observations", []) if isinstance(payload, dict) else []
    return tuple(Observation.model_validate(one) for one in seen) if isinstance(seen, list) else ()


async def _observe(
    http: httpx2.AsyncClient, base: str, key: SecretStr | None, ways: Sequence[tuple[str, str]]
) -> list[Observation]:
    seen = [
        _seen(base, "GET", "/models", await ask(http, "GET", f"{base}/models", limit=_MAX_BYTES)),
        _seen(
            base,
            "POST",
            "/chat/completions",
            await ask(http, "POST", f"{base}/chat/completions", json={}, limit=_MAX_BYTES),
        ),
    ]
    if key is not None and seen[0].status in (401, 403):
        for header, scheme in ways:
            value = f"{scheme} {key.get_secret_value()}".strip()
            answer = await ask(http, "GET", f"{base}/models", headers={header: value}, limit=_MAX_BYTES)
            found = _seen(base, "GET", "/models", answer).model_copy(update={"with_key": True, "key_header": header})
            seen.append(found)
            if found.shape == "models":
                break
    return seen


def _seen(base: str, method: Literal["GET", "POST"], path: str, answer: Answer) -> Observation:
    shape, models, message = _shape(answer.json_body)
    return Observation(
        base_url=base,
        method=method,
        path=path,
        status=answer.status,
        content_type=answer.headers.get("content-type", "")[:_MAX_TEXT],
        shape=shape,
        models=models,
        message=message,
    )


def _shape(body: Any) -> tuple[Literal["models", "error", "json", "other"], tuple[str, ...], str]:
    rows = body.get("data") if isinstance(body, dict) else body
    if isinstance(rows, list) and all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows):
        return "models", tuple(str(row["id"]) for row in rows[:_MAX_MODELS]), ""
    if isinstance(body, dict) and (error := body.get("error") or body.get("detail") or body.get("message")):
        words = error.get("message", "") if isinstance(error, dict) else error
        return "error", (), str(words)[:_MAX_TEXT]
    return ("other", (), "") if body is None else ("json", (), "")


PROVIDER = Source(name=NAME, fetch=fetch, needs_base_url=True)
