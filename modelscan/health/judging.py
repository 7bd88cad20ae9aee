"""What one look at a provider says of it: at the requests of the last minutes, or at calls of ours."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from modelscan.health.traffic import Window
from modelscan.redaction import redact
from modelscan.settings import HealthSettings
from modelscan.types import CaseResult, HealthCall, HealthEvidence, HealthState
from modelscan.visible import visible

__all__ = ["Look", "RANK", "judged_calls", "judged_traffic"]

RANK: dict[HealthState, int] = {"unknown": 0, "up": 0, "degraded": 1, "down": 2}
"""Who is asked first, of several; of whom nothing is known no ill is thought."""

_FEW_FAULTS = 2
"""Below that nobody is in trouble: one lost connection is no state."""
_MOST_WORDS = 200
_BUSY = frozenset({402, 429})
"""A quota's answers: it is there, and well."""
_CALLS = {"models_without_key": "models without a key", "chat_without_key": "chat without a key", "chat": "chat"}


class Look(NamedTuple):
    """What was seen at one moment, and the state that this alone would say."""

    state: HealthState
    evidence: HealthEvidence


def judged_traffic(window: Window, before: HealthState, limits: HealthSettings, at: datetime) -> Look | None:
    """What requests show; None where there are too few to tell.

    A state is kept until the share of faults is below half of what leads to it, so that it does not flap. To go down it
    takes faults that no caller can provoke; to stay there, any.
    """
    if not window.requests or (window.failed and window.requests < limits.min_requests):
        return None
    state: HealthState = "up"
    if window.failed >= _FEW_FAULTS:
        there = before == "down"
        if (window.failed if there else window.hard) >= _bound(limits.down_share, there) * window.requests:
            state = "down"
        elif window.failed >= _bound(limits.degraded_share, there or before == "degraded") * window.requests:
            state = "degraded"
    if state == "up" and window.p50 is not None:
        slow = window.p50 >= _bound(limits.slow_seconds, before == "degraded")
        state = "degraded" if slow else "up"
    return Look(state, _of_window(window, limits.window_seconds, at))


def _bound(limit: float, there: bool) -> float:
    return limit / 2 if there else limit


def _of_window(window: Window, seconds: float, at: datetime) -> HealthEvidence:
    p50, p95 = (None if value is None else round(value * 1000, 1) for value in (window.p50, window.p95))
    many = "request" if window.requests == 1 else "requests"
    words = f"{window.failed} of {window.requests} {many} failed in the last {seconds / 60:.3g} min"
    if window.faults:
        words += f" ({', '.join(f'{what} x{count}' for what, count in window.faults.items())})"
    if p50 is not None and p95 is not None:
        words += f"; first byte after {p50:.0f} ms (p50), {p95:.0f} ms (p95)"
    return HealthEvidence(
        source="traffic",
        at=at,
        words=words,
        requests=window.requests,
        failed=window.failed,
        seconds=seconds,
        faults=window.faults,
        p50_ms=p50,
        p95_ms=p95,
    )


def judged_calls(cases: Sequence[CaseResult], at: datetime) -> Look:
    """What calls of ours show, as the probe's judges found them. The chat's endpoint counts most.

    It is down where that cannot be reached or says that it is out of order; degraded where it answers otherwise than
    such an API should, or where only the list of models fails.
    """
    found: dict[str, HealthState] = {one.case: _state(one) for one in cases}
    chats = [state for case, state in found.items() if case != "models_without_key"]
    state: HealthState = max(chats, key=RANK.__getitem__, default="unknown")
    if state == "up" and found.get("models_without_key", "up") != "up":
        state = "degraded"
    calls = tuple(map(_call, cases))
    words = "; ".join(f"{one.what} {one.said}" for one in calls)
    real = any(one.case == "chat" for one in cases)
    return Look(state, HealthEvidence(source="chat" if real else "probe", at=at, words=words, calls=calls))


def _state(case: CaseResult) -> HealthState:
    if case.outcome == "passed" or case.status in _BUSY:
        return "up"
    return "down" if case.status is None or case.status >= 500 else "degraded"


def _call(case: CaseResult) -> HealthCall:
    milliseconds = round(case.seconds * 1000, 1)
    answered = f"answered {case.status}" if case.status is not None else "was not answered"
    said = f"{answered} in {milliseconds:.0f} ms" if _state(case) == "up" else f"{answered}: {case.detail}"
    return HealthCall.model_validate(
        {
            "what": _CALLS[case.case],
            "status": case.status,
            "said": visible(redact(said), _MOST_WORDS),
            "milliseconds": milliseconds,
        }
    )
