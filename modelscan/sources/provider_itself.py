"""The provider itself: what it lists, and how it answers those who have no key."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import httpx2
from pydantic import SecretStr, TypeAdapter, ValidationError

from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.sources.http import Answer, ask
from modelscan.sources.source import Said, Source, SourceRequest
from modelscan.types import Frozen, SourceGap, SourceRecord, is_model_id

__all__ = ["PROVIDER", "Observation", "candidates", "observations_of"]

NAME = "provider"
_MAX_BYTES = 8 * 2**20
_MAX_MODELS = 5_000
_MAX_TEXT = 200
_MAX_ID = 256
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


_OBSERVATIONS = TypeAdapter(tuple[Observation, ...])


def candidates(base_url: str) -> tuple[str, ...]:
    """The base URL as given, and its neighbour with or without `/v1`. A chat endpoint's own URL stands for its base."""
    base = base_url.rstrip("/").removesuffix("/chat/completions")
    return (base, base.removesuffix("/v1")) if base.endswith("/v1") else (base, f"{base}/v1")


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """Ask for the models, without and with the key, and for a chat with an empty body and no key, which is free.

    The record is never a trusted one: the provider's own words may not send a key anywhere.
    """
    if request.base_url is None or "${" in request.base_url:
        return None
    varied = None if request.operator_named else 1  # what a list states is not varied
    bases, ways = candidates(request.base_url)[:varied], _KEY_HEADERS[:varied]
    try:
        observed = await asyncio.gather(*(_observe(request.http, base, request.key, ways) for base in bases))
    except HostRefused as error:
        return SourceGap(source=NAME, kind="refused", reason=str(error))
    seen, faults = [one for some, _ in observed for one in some], [fault for _, some in observed for fault in some]
    if not seen:
        return SourceGap(source=NAME, kind="unreachable", reason=faults[0].message)
    return SourceRecord.of(
        source=NAME,
        subject=request.identifier.provider,
        url=bases[0],
        payload={"observations": [one.model_dump(mode="json") for one in seen]},
        trusted=False,
        note="; ".join(dict.fromkeys(fault.message for fault in faults)),
    )


def observations_of(record: SourceRecord) -> tuple[Observation, ...]:
    """What a record of this source holds; nothing where an older version wrote it in another form."""
    payload = record.payload
    seen = payload.get("observations") if isinstance(payload, dict) else None
    try:
        return _OBSERVATIONS.validate_python(seen)
    except ValidationError:
        return ()


async def _observe(
    http: httpx2.AsyncClient, base: str, key: SecretStr | None, ways: Sequence[tuple[str, str]]
) -> tuple[list[Observation], list[SourceUnavailable]]:
    """What was seen below one base URL, and what could not be asked there."""
    seen, faults = [], []
    asked = (_one(http, base, "GET", "/models"), _one(http, base, "POST", "/chat/completions", json={}))
    for came in await asyncio.gather(*asked):
        if isinstance(came, Observation):
            seen.append(came)
        else:
            faults.append(came)
    if key is not None and any(one.path == "/models" and one.status in (401, 403) for one in seen):
        seen += await _with_key(http, base, key.get_secret_value(), ways)
    return seen, faults


async def _with_key(
    http: httpx2.AsyncClient, base: str, key: str, ways: Sequence[tuple[str, str]]
) -> list[Observation]:
    """The models list asked for with the key, in one way after the other until one is accepted."""
    seen: list[Observation] = []
    if not (key.isascii() and key.isprintable()):
        return seen
    for header, scheme in ways:
        came = await _one(http, base, "GET", "/models", headers={header: f"{scheme} {key}".strip()})
        if isinstance(came, Observation):
            # Servers quote keys in their words.
            models = tuple(id_ for id_ in came.models if key not in id_)
            clean = {"with_key": True, "key_header": header, "message": "", "content_type": "", "models": models}
            seen.append(came.model_copy(update=clean))
            if came.shape == "models":
                break
    return seen


async def _one(
    http: httpx2.AsyncClient, base: str, method: Literal["GET", "POST"], path: str, **more: Any
) -> Observation | SourceUnavailable:
    try:
        answer = await ask(http, method, f"{base}{path}", limit=_MAX_BYTES, **more)
    except SourceUnavailable as error:
        return error
    shape, models, message = _shape(answer)
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


def _shape(answer: Answer) -> tuple[Literal["models", "error", "json", "other"], tuple[str, ...], str]:
    """(what the body looks like, the ids of a models list, the words of an error)."""
    body = answer.json_body
    rows = body.get("data") if isinstance(body, dict) else body or None  # Together answers a list without a frame
    if answer.status == 200 and isinstance(rows, list) and all(_has_id(row) for row in rows):
        return "models", tuple(row["id"] for row in rows[:_MAX_MODELS] if len(row["id"]) <= _MAX_ID), ""
    if isinstance(body, dict) and (error := body.get("error") or body.get("detail") or body.get("message")):
        words = error.get("message", "") if isinstance(error, dict) else error
        return "error", (), str(words)[:_MAX_TEXT]
    return ("other", (), "") if body is None else ("json", (), "")


def _has_id(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str)


def _claims(record: SourceRecord, _models: Collection[str]) -> Iterable[Said]:
    """The first list of models that it answered with."""
    listed = next((seen.models for seen in observations_of(record) if seen.shape == "models"), None)
    if listed is not None:
        yield Said(record.subject, "models", [one for one in sorted(listed) if is_model_id(one)])


def _saved_url(request: SourceRequest) -> str | None:
    return candidates(request.base_url)[0] if request.base_url else None


PROVIDER = Source(name=NAME, fetch=fetch, needs_base_url=True, saved_url=_saved_url, claims=_claims)
