"""The operator's own word: a `--base-url` is evidence, too."""

from pydantic import JsonValue

from modelscan.sources.source import Source, SourceRequest
from modelscan.types import SourceGap, SourceRecord

__all__ = ["OPERATOR"]


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """A record of what was typed; None without a base URL."""
    if not request.operator_named or request.base_url is None:
        return None
    payload: JsonValue = {"base_url": request.base_url}
    subject = request.identifier.provider
    return SourceRecord.of(source="operator", subject=subject, url=request.base_url, payload=payload, trusted=True)


OPERATOR = Source(name="operator", fetch=fetch, operator_only=True, cached=False)
