"""The verdict on a version on trial: by the usage rows of all router processes, once the catalogue has them."""

import logging
import math
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import JsonValue

from modelscan.catalog import canaries
from modelscan.catalog.database import Database
from modelscan.clients.activation import promote
from modelscan.errors import GenerationRefused, VersionNotFound
from modelscan.types import Activation, Canary, CanaryCounts, CanaryTerms

__all__ = ["Trial", "judge", "told", "verdict"]

_SIGNIFICANT = 3.0
"""Standard errors: an equal version is taken for a worse one at one look in a thousand."""
_ACTOR = "canary"
_log = logging.getLogger(__name__)


class Trial(NamedTuple):
    """A trial as it stands, and the step that ended it, if one did."""

    canary: Canary
    counts: CanaryCounts
    ended: Activation | None = None


def verdict(terms: CanaryTerms, seen: CanaryCounts, minutes: float) -> Literal["roll back", "promote"] | None:
    """What becomes of a version that was tried for so many minutes; None: it goes on being tried.

    It is rolled back once its errors, of `terms.requests` at least, come to a rate above the base's and the margin, by
    more than chance; so one that fails at all of its requests ends after a few. It is promoted once it was asked
    `terms.requests` and `terms.minutes` have passed.
    """
    canary, base = seen.canary, seen.base
    rate = canary.errors / max(canary.requests, terms.requests)
    if rate > base.rate + terms.margin and _apart(seen) > _SIGNIFICANT:
        return "roll back"
    if canary.requests >= terms.requests and minutes >= terms.minutes and canary.rate <= base.rate + terms.margin:
        return "promote"
    return None


def told(canary: Canary, seen: CanaryCounts | None = None) -> dict[str, JsonValue]:
    """A trial as /health tells it; without counts where it was not looked at yet."""
    return {
        "provider": canary.provider,
        "version": canary.version,
        "share": canary.share,
        "since": canary.started_at.isoformat(),
        **(seen or CanaryCounts()).model_dump(mode="json"),
    }


def _apart(seen: CanaryCounts) -> float:
    """By how many standard errors the canary's rate is above the base's; where the base has none, all that it is."""
    canary, base = seen.canary, seen.base
    if not base.requests:
        return math.inf
    pooled = (canary.errors + base.errors) / (canary.requests + base.requests)
    error = math.sqrt(pooled * (1 - pooled) * (1 / canary.requests + 1 / base.requests))
    return (canary.rate - base.rate) / error if error else 0.0


def judge(database: Database, folder: Path, now: datetime) -> tuple[Trial, ...]:
    """Every trial that runs, and what became of it now. Of several routers that judge, one ends it."""
    running = canaries.canaries(database)
    if not running:
        return ()
    return tuple(
        Trial(one, seen, _judged(database, folder, one, seen, now))
        for one, seen in zip(running, canaries.counts(database, running), strict=True)
    )


def _judged(database: Database, folder: Path, canary: Canary, seen: CanaryCounts, now: datetime) -> Activation | None:
    found = verdict(canary, seen, (now - canary.started_at).total_seconds() / 60)
    if found is None:
        return None
    why = f"{_words(seen)}; {canary.margin:.1%} more are allowed."
    if found == "roll back":
        return canaries.end(database, canary, "canary-rolled-back", actor=_ACTOR, why=why, seen=seen)
    try:
        return promote(database, folder, canary, actor=_ACTOR, why=why, seen=seen)
    except (GenerationRefused, VersionNotFound) as error:
        _log.error("version %d of %s is not promoted: %s", canary.version, canary.provider, error)
        return canaries.end(database, canary, "canary-stopped", actor=_ACTOR, why=str(error), seen=seen)


def _words(seen: CanaryCounts) -> str:
    canary, base = seen.canary, seen.base
    return (
        f"{canary.errors} of {canary.requests} requests failed ({canary.rate:.1%}), and of the version that is served "
        f"{base.errors} of {base.requests} ({base.rate:.1%})"
    )
