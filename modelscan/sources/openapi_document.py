"""The provider's own OpenAPI document, where it publishes one: which paths it declares.

Facts of the provider: `openapi` (where it stands) and `operations` (`METHOD path` of those that models are used by).
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from modelscan.sources.source import Said, Source, SourceRequest, answer_or_gap
from modelscan.types import SourceGap, SourceRecord

__all__ = ["OPENAPI", "claims", "declared"]

NAME = "openapi"
_MAX_BYTES = 8 * 2**20
_MAX_PATHS = 1_000
_PATH = re.compile(r"/[A-Za-z0-9/_.:{}~-]{0,200}")
_OF_MODELS = re.compile(r"/(chat|completions?|messages|embed|embeddings|rerank|responses|models?|generate)\b")
_METHODS = ("delete", "get", "head", "patch", "post", "put")


class Info(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str = Field(default="", max_length=200)
    version: str = Field(default="", max_length=64)


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """The paths of the first document that is found, asked for without the key."""
    base = request.base_url
    if base is None or "${" in base:
        return None
    root = _root(base)
    why = None
    for url in dict.fromkeys((f"{root}/openapi.json", f"{root}/v1/openapi.json")):
        came = await answer_or_gap(request, NAME, url, limit=_MAX_BYTES)
        if isinstance(came, SourceGap):
            why = why or came
            if came.kind == "unreachable":
                break
        elif (document := declared(came.json_body)) is not None:
            subject = request.identifier.provider
            payload: JsonValue = {"url": url, **document}
            sha256 = hashlib.sha256(came.body).hexdigest()
            return SourceRecord.of(
                source=NAME, subject=subject, url=root, payload=payload, trusted=False, sha256=sha256
            )
        else:
            why = SourceGap(source=NAME, kind="malformed", reason=f"{url} is no OpenAPI document")
    return why


def _root(base: str) -> str:
    return base.rstrip("/").removesuffix("/chat/completions").removesuffix("/v1")


def declared(body: Any) -> dict[str, JsonValue] | None:
    """Title, version and paths with their methods; None where it is no OpenAPI document."""
    if (
        not isinstance(body, dict)
        or not ({"openapi", "swagger"} & body.keys())
        or not isinstance(body.get("paths"), dict)
    ):
        return None
    try:
        info = Info.model_validate(body.get("info", {}))
    except ValidationError:
        info = Info()
    paths: dict[str, JsonValue] = {}
    for path, operations in body["paths"].items():
        if len(paths) < _MAX_PATHS and _PATH.fullmatch(path) and isinstance(operations, dict):
            paths[path] = [method.upper() for method in _METHODS if method in operations]
    return {"title": info.title, "version": info.version, "paths": paths}


def claims(record: SourceRecord, _models: Collection[str] = ()) -> Iterable[Said]:
    """Where the document stands, and what it declares of models."""
    payload = record.payload if isinstance(record.payload, dict) else {}
    url, paths = payload.get("url"), payload.get("paths")
    if isinstance(url, str) and isinstance(paths, dict):
        yield Said(record.subject, "openapi", url)
        rows = [(path, methods) for path, methods in paths.items() if _OF_MODELS.search(path)]
        operations: list[JsonValue] = [
            f"{method} {path}" for path, methods in rows if isinstance(methods, list) for method in methods
        ]
        if operations:
            yield Said(record.subject, "operations", operations)


def _concerns(request: SourceRequest) -> bool:
    return request.deep


def _saved_url(request: SourceRequest) -> str | None:
    return _root(request.base_url) if request.base_url else None


OPENAPI = Source(
    name=NAME, fetch=fetch, concerns=_concerns, needs_base_url=True, saved_url=_saved_url, confidence=0.8, claims=claims
)
