"""Asks a published provider itself: what it lists, and how it answers, all of it free."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from modelscan.sources import SOURCES
from modelscan.sources.gather import scrape, with_named_base_url
from modelscan.sources.operator import OPERATOR
from modelscan.sources.source import SourceRequest
from modelscan.types import SourceGap, SourceRecord

__all__ = ["Asked", "ask_itself"]

Latest = Callable[[str, str], SourceRecord | None]
"""(source, subject) -> the newest record of the catalogue, however old."""


@dataclass(frozen=True)
class Asked:
    """What it said, or what it said last where it does not answer now."""

    records: tuple[SourceRecord, ...] = ()
    gaps: tuple[SourceGap, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Who was heard."""
        return tuple(record.source for record in self.records)


async def ask_itself(
    request: SourceRequest,
    listed: Iterable[SourceRecord],
    *,
    latest: Latest,
    pins: Sequence[SourceRecord] = (),
    distrusted: Collection[str] = (),
) -> Asked:
    """Ask every source that needs the provider's address, where a trusted record or the operator names one.

    `distrusted` are the sources whose word on the address the operator rejected.
    """
    operator = await OPERATOR.fetch(request)
    own = (operator,) if isinstance(operator, SourceRecord) else ()
    named = with_named_base_url(request, (*own, *listed, *pins), distrusted)
    records, gaps = [*own], list[SourceGap]()
    for source in SOURCES:
        if not (source.needs_base_url and named.base_url and source.concerns(named)):
            continue
        found = await scrape(source, named, None)
        gaps += [found.gap] if found.gap else []
        record = found.record or (latest(source.name, source.subject(named)) if found.gap else None)
        records += [record] if record else []
    return Asked(tuple(records), tuple(gaps))
