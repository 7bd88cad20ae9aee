"""Looks and clocks for the tests of how providers are doing."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from modelscan.health.judging import Look
from modelscan.health.traffic import Window
from modelscan.settings import HealthSettings
from modelscan.types import CaseResult, HealthEvidence, HealthState, Level

__all__ = ["START", "Clock", "case", "limits", "look", "window"]

START = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass
class Clock:
    """Stands where it is put; the wall clock goes along."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def look(state: HealthState, source: Literal["traffic", "probe", "chat"] = "probe", at: datetime = START) -> Look:
    return Look(state, HealthEvidence(source=source, at=at, words=f"{source} says {state}"))


def window(requests: int, **faults: int) -> Window:
    """So many requests, some of which met these faults: `s503=2` is two of status 503, `s500` of 500."""
    named = {name.removeprefix("s").replace("_", "-"): count for name, count in faults.items()}
    failed = sum(named.values())
    soft = sum(count for name, count in named.items() if name in ("500", "upstream-timeout", "broke-off"))
    return Window(requests, failed, failed - soft, named, 0.2, 0.9, requests)


def limits(**more: Any) -> HealthSettings:
    return HealthSettings.model_validate(more)


def case(
    name: str = "chat_without_key",
    status: int | None = 401,
    outcome: Literal["passed", "failed", "skipped"] = "passed",
    detail: str = "",
) -> CaseResult:
    return CaseResult(case=name, level=Level.PROBE, outcome=outcome, detail=detail, status=status, seconds=0.012)
