"""How providers are doing: a state, since when, and what was seen."""

from typing import Literal

from pydantic import AwareDatetime, Field

from modelscan.types.base import Frozen
from modelscan.types.identifier import ProviderId

__all__ = ["HealthCall", "HealthChange", "HealthEvidence", "HealthState", "ProviderHealth"]

HealthState = Literal["unknown", "up", "degraded", "down"]


class HealthCall(Frozen):
    """One call of ours to a provider, and what came of it."""

    what: Literal["models without a key", "chat without a key", "chat"]
    status: int | None
    """None where nobody answered."""
    said: str
    """In words, safe to show."""
    milliseconds: float


class HealthEvidence(Frozen):
    """What was seen: of requests that callers made, or of calls of ours."""

    source: Literal["traffic", "probe", "chat"]
    at: AwareDatetime
    words: str
    """All of it in a sentence without its dot."""
    requests: int = 0
    """That were sent in the window, each attempt counted; of traffic alone, as all up to `p95_ms`."""
    failed: int = 0
    """Of these, by a fault of the provider's."""
    seconds: float = 0.0
    """How long the window is."""
    faults: dict[str, int] = Field(default_factory=dict)
    """How often each kind was met: a status, or an error's code."""
    p50_ms: float | None = None
    """To the first byte of the good answers."""
    p95_ms: float | None = None
    calls: tuple[HealthCall, ...] = ()


class ProviderHealth(Frozen):
    """How one provider is doing."""

    provider: ProviderId
    state: HealthState
    since: AwareDatetime
    evidence: HealthEvidence | None = None
    """What was seen last that says so; None where nothing was seen yet."""


class HealthChange(Frozen):
    """A provider's state became another one."""

    provider: ProviderId
    before: HealthState
    after: HealthState
    at: AwareDatetime
    evidence: HealthEvidence | None = None
    """None where nothing was seen for so long that the state is unknown."""
