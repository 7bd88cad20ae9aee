"""What the webhook is told of changes: one letter for a kind and a provider, in the form of Standard Webhooks."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from modelscan.types import DriftEvent, DriftState, Letter, canonical_json, utc_now

__all__ = ["EVENT", "MOST", "batches", "letters"]

EVENT = "modelscan.drift"
"""Before the kind: what a letter, and an event of Prefect's, is called."""
MOST = 50
"""Changes in one: a letter should have no more than some tens of kilobytes."""


def letters(events: Sequence[DriftEvent]) -> tuple[Letter, ...]:
    """A letter for each batch; what is ignored is told nobody."""
    now = utc_now()
    return tuple(
        Letter(
            id=f"msg_{uuid.uuid4().hex}",
            created_at=now,
            next_at=now,
            body=canonical_json(
                {
                    "type": f"{EVENT}.{batch[0].kind}",
                    "timestamp": now.isoformat(),
                    "data": {
                        "provider": batch[0].provider,
                        "state": batch[0].state,
                        "changes": [event.model_dump(mode="json") for event in batch],
                    },
                }
            ),
        )
        for batch in batches(events)
    )


def batches(events: Iterable[DriftEvent]) -> Iterator[tuple[DriftEvent, ...]]:
    """Those to tell, by kind, provider and state, `MOST` at a time, in the order of their kinds."""
    told = sorted((one for one in events if one.state is not DriftState.IGNORED), key=_place)
    for _, group in groupby(told, _place):
        whole = tuple(group)
        yield from (whole[start : start + MOST] for start in range(0, len(whole), MOST))


def _place(event: DriftEvent) -> tuple[str, str, str]:
    return event.kind, event.provider, event.state
