"""A published client proved anew: what it showed, and what has changed since it was proved before."""

from decimal import Decimal
from typing import Literal

from modelscan.types.base import Frozen
from modelscan.types.identifier import ProviderId
from modelscan.types.validation import CaseResult, Level

__all__ = ["CaseChange", "Verification"]


class CaseChange(Frozen):
    """One case that comes out otherwise than before."""

    before: CaseResult
    after: CaseResult

    @property
    def field(self) -> str:
        """`level.case`, such as `probe.chat_without_key`."""
        return f"{self.after.level}.{self.after.case}"

    @property
    def worse(self) -> bool:
        """Whether it used to pass, and fails; else it is the other way round."""
        return self.after.outcome == "failed"


class Verification(Frozen):
    """What became of one published client in a verification."""

    provider: ProviderId
    version: int
    published: Level
    """What was proved when it was published."""
    level: Level | None = None
    """What is proved now; None where nothing could be."""
    outcome: Literal["as before", "changed", "recovered", "not reached", "not verified"]
    detail: str = ""
    """In a sentence, safe to show."""
    changes: tuple[CaseChange, ...] = ()
    cost_usd: Decimal = Decimal(0)
    """US dollars that its requests may have cost at most."""
