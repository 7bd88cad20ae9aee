"""How a run over the catalogue goes, and what came of it, as artifacts in the Prefect UI."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact

from modelscan.redaction import redact
from modelscan.rediscovery.settling import Settled
from modelscan.types import DriftEvent, DriftKind, DriftState
from tasks.catalogue import CatalogueWork
from tasks.reporting import table

__all__ = ["Progress", "said_of", "summary", "summary_artifact", "totals"]

_MOST_ROWS = 200
_OPEN = (DriftState.HELD, DriftState.REJECTED)


class Progress:
    """The share of the providers that were looked at."""

    def __init__(self, artifact: UUID, of: int) -> None:
        self._artifact = artifact
        self._of = of

    @classmethod
    async def begin(cls, work: CatalogueWork, name: str) -> "Progress":
        """Make the artifact; a run that goes on where another one was interrupted begins there."""
        done, of = len(work.done_before), len(work.providers)
        artifact = await acreate_progress_artifact(
            _percent(done, of), key=f"{name}-progress", description=f"Of {of} providers."
        )
        return cls(artifact, of)

    async def move(self, work: CatalogueWork) -> None:
        """Tell how far it is."""
        done = len(work.done_before) + len(work.settled)
        await aupdate_progress_artifact(self._artifact, progress=_percent(done, self._of))


def _percent(done: int, of: int) -> float:
    return round(100 * done / of, 1) if of else 100.0


def totals(settled: Iterable[Settled]) -> dict[str, int]:
    """How many providers had which outcome, how many changes of which state, new prices, and queued discoveries."""
    found: Counter[str] = Counter()
    for one in settled:
        found[one.looked.outcome] += 1
        found["prices"] += one.prices
        found["discoveries"] += one.discovery is not None
        found.update(str(event.state) for event in one.events)
    return dict(found)


def said_of(settled: Sequence[Settled]) -> str:
    """A batch in a line: who changed, who could not be looked at."""
    words = [f"{one.looked.provider} ({_short(one)})" for one in settled if one.events or one.looked.why]
    names = [one.looked.provider for one in settled if not (one.events or one.looked.why)]
    quiet = f"nothing new of {', '.join(names)}" if names else ""
    return "; ".join(filter(None, (", ".join(words), quiet)))


def _short(one: Settled) -> str:
    counts = Counter(f"{event.kind} {event.state}" for event in one.events)
    return one.looked.why or ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


async def summary_artifact(work: CatalogueWork, name: str) -> str:
    """Make the artifact `<name>-summary`; returns the first line of it."""
    text = redact(summary(work))
    await acreate_markdown_artifact(text, key=f"{name}-summary", description="What changed, failed, and is held.")
    return text.partition("\n\n")[0].lstrip("# ")


def summary(work: CatalogueWork) -> str:
    """What changed, what failed, what is held, and what follows; in Markdown."""
    found = totals(work.settled)
    events = _fresh(work)
    parts = [
        f"# {_headline(work, found)}",
        _about(work),
        *_section(
            "What changed", ("provider", "model", "what", "before", "after", "source", "state"), _changes(events)
        ),
        *_section("What could not be looked at", ("provider", "outcome", "why"), _unseen(work)),
        *_section("What waits for the operator", ("provider", "changes", "what to do"), _waiting(work.settled)),
        *_section("What is proved anew", ("provider", "discovery"), _queued(work.settled)),
    ]
    return "\n\n".join(part for part in parts if part)


def _headline(work: CatalogueWork, found: dict[str, int]) -> str:
    looked = len(work.settled)
    said = [f"{looked} providers looked at", f"{len(_fresh(work))} changes"]
    said += [f"{found[name]} {name}" for name in ("held", "failed", "left") if found.get(name)]
    said += [f"{found['prices']} new prices"] if found.get("prices") else []
    said += [f"{found['discoveries']} to be proved anew"] if found.get("discoveries") else []
    return ", ".join(said)


def _fresh(work: CatalogueWork) -> list[DriftEvent]:
    """What this run found; what is held from before is found again, and waits on."""
    return [event for one in work.settled for event in one.events if event.found_at >= work.run.started_at]


def _about(work: CatalogueWork) -> str:
    done = len(work.done_before)
    went_on = f"It went on where a run was interrupted, which had looked at {done} providers." if work.resumed else ""
    first = "It is the first one: later ones are compared with it." if work.run.first and not work.prices_only else ""
    faults = [f"{source} could not be taken up: {why}" for source, why in sorted(work.faults.items())]
    return " ".join(filter(None, (went_on, first, *faults)))


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    found = list(rows)
    if found:
        yield f"## {title}"
        yield table(head, found[:_MOST_ROWS])
        if len(found) > _MOST_ROWS:
            yield f"{len(found) - _MOST_ROWS} more: `modelscan changes`."


def _changes(events: Iterable[DriftEvent]) -> Iterator[Sequence[object]]:
    # What somebody has to look at first, then whole models, then their prices and limits.
    order = {kind: place for place, kind in enumerate((DriftKind.BASE_URL, DriftKind.AUTH, DriftKind.PROTOCOL))}
    ranked = sorted(events, key=lambda one: (one.state not in _OPEN, order.get(one.kind, len(order))))
    for one in ranked:
        before, after = one.before or "unknown", one.after or "unknown"
        if one.kind is DriftKind.MODELS:
            before, after = one.before or "", one.after or "gone"
        yield one.provider, one.model or "", one.field, before, after, one.source, one.state


def _unseen(work: CatalogueWork) -> Iterator[Sequence[object]]:
    for source, why in sorted(work.faults.items()):
        yield source, "list not taken up", why
    for one in work.settled:
        if one.looked.why:
            yield one.looked.provider, one.looked.outcome, one.looked.why


def _waiting(settled: Iterable[Settled]) -> Iterator[Sequence[object]]:
    for one in settled:
        held = [event for event in one.events if event.state in _OPEN]
        if held:
            counts = Counter(f"{event.field} {event.state}" for event in held)
            first = f"modelscan changes approve {held[0].id}" if held[0].state is DriftState.HELD else "nothing"
            yield one.looked.provider, ", ".join(f"{count} {what}" for what, count in sorted(counts.items())), first


def _queued(settled: Iterable[Settled]) -> Iterator[Sequence[object]]:
    return ((one.looked.provider, one.discovery) for one in settled if one.discovery)
