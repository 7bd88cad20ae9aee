"""Takes up changes that a flow found: by policy, into the catalogue, and told to Prefect and the webhook."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from prefect.events import emit_event

from modelscan.catalog import drift
from modelscan.catalog.drift_outbox import no_letters
from modelscan.drift.baseline import moot
from modelscan.drift.letters import EVENT, batches, letters
from modelscan.drift.policy import by_policy
from modelscan.types import DriftEvent, DriftKind, ProviderState
from tasks.bench import Bench

__all__ = ["tell"]


async def tell(
    bench: Bench,
    events: Sequence[DriftEvent],
    looks: Sequence[ProviderState] = (),
    *,
    emit: Callable[..., object] = emit_event,
) -> tuple[DriftEvent, ...]:
    """Store what was found; returns the events as they stand now, in their order: `counts` says what is to take effect.

    `looks` are the providers as they were just seen: what is held of them and is said no more is withdrawn. What is new
    is emitted as events of Prefect's, and written to the webhook's outbox, which the router empties.
    """
    taken = await asyncio.to_thread(_take_up, bench, events, looks)
    for batch in batches(taken.news):
        emit(**_event(batch))
    return taken.told


def _take_up(bench: Bench, events: Sequence[DriftEvent], looks: Sequence[ProviderState]) -> drift.Taken:
    settings = bench.settings.drift
    writing = letters if settings.webhook_url else no_letters
    taken = drift.take_up(bench.database, by_policy(events, settings), writing)
    held = drift.withheld(bench.database) if looks else ()
    if over := [event for look in looks for event in moot(held, look)]:
        drift.withdraw(bench.database, over)
    return taken


def _event(batch: tuple[DriftEvent, ...]) -> dict[str, Any]:
    """One event for a kind and a provider, so that a source's thousand new prices do not flood the server."""
    first = batch[0]
    what = "source" if first.kind is DriftKind.SOURCE else "provider"
    return {
        "event": f"{EVENT}.{first.kind}",
        "resource": {
            "prefect.resource.id": f"modelscan.{what}.{first.provider}",
            "prefect.resource.name": first.provider,
            "modelscan.drift.kind": str(first.kind),
            "modelscan.drift.state": str(first.state),
        },
        "payload": {"provider": first.provider, "changes": [event.model_dump(mode="json") for event in batch]},
    }
