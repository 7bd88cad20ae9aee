"""What was proved of a client."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from modelscan.types.base import Frozen
from modelscan.types.synthesis import Change

__all__ = ["Attempt", "CaseResult", "KEY_REFUSED", "Level", "ValidationReport"]

KEY_REFUSED = (401, 403)


class Level(StrEnum):
    """What has been proved, in ascending order."""

    NONE = "none"
    STATIC = "static"
    CONTRACT = "contract"
    PROBE = "probe"
    LIVE = "live"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


class CaseResult(Frozen):
    """What one case showed at one level."""

    case: str
    """The case's id, such as `wrong_key_is_refused`."""
    level: Level
    outcome: Literal["passed", "failed", "skipped"]
    detail: str = ""
    """For a failure, what was expected and what came; for a skip, why."""
    status: int | None = None
    """The HTTP status that a failure or a skip rests on."""
    seconds: float = 0.0


class ValidationReport(Frozen):
    """What was proved of one candidate."""

    level: Level
    """The highest level whose cases all passed."""
    why_not_higher: str = ""
    """Said in words a person can act on; empty at `live`."""
    results: tuple[CaseResult, ...] = ()

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        return tuple(result for result in self.results if result.outcome == "failed")

    @property
    def only_key_refused(self) -> bool:
        """Whether all went well but for the provider's word that the key is wrong: the client is not at fault."""
        refused = [result.level is Level.LIVE and result.status in KEY_REFUSED for result in self.failed]
        return self.level is Level.PROBE and bool(refused) and all(refused)

    @property
    def green(self) -> bool:
        """Whether nothing failed and at least the contract was proved."""
        return not self.failed and self.level.rank >= Level.CONTRACT.rank


class Attempt(Frozen):
    """One loop of proposal, generation and validation."""

    number: int = Field(ge=1, le=3)
    proposal: str
    """The hypothesis in words: base URL, auth header, protocol, and what changed since the loop before."""
    spec_digest: str
    changes: tuple[Change, ...] = ()
    """Against the loop before; empty for the first."""
    report: ValidationReport
