"""The operator's own word: a `--base-url` is evidence, too."""

from collections.abc import Collection, Iterable

from pydantic import JsonValue

from modelscan.sources.source import Said, Source, SourceRequest
from modelscan.types import SourceGap, SourceRecord

__all__ = ["OPERATOR"]


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """A record of what was typed; None without a base URL."""
    if not request.operator_named or request.base_url is None:
        return None
    payload: JsonValue = {"base_url": request.base_url}
    subject = request.identifier.provider
    return SourceRecord.of(source="operator", subject=subject, url=request.base_url, payload=payload, trusted=True)


def _claims(record: SourceRecord, _models: Collection[str]) -> Iterable[Said]:
    yield Said(record.subject, "base_url", record.url)


def _concerns(request: SourceRequest) -> bool:
    return request.operator_named


OPERATOR = Source(name="operator", fetch=fetch, concerns=_concerns, cached=False, confidence=1.0, claims=_claims)
