"""One run, from an identifier to a served client or a reasoned refusal."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from modelscan.types.approval import Verdict
from modelscan.types.base import Frozen
from modelscan.types.evidence import SourceGap
from modelscan.types.synthesis import AgentCall, Change
from modelscan.types.validation import Attempt, Level

__all__ = ["Discovery", "DiscoveryError", "DiscoveryState", "DiscoveryStep"]


class DiscoveryState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class DiscoveryStep(Frozen):
    """One step of a run, as a person follows it."""

    seq: int
    name: str
    state: Literal["running", "done", "failed", "cached"]
    detail: str = ""
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None


class DiscoveryError(Frozen):
    """Why a run failed, storable; `modelscan.errors.error_from_code` gives the exception back."""

    code: str
    message: str
    hint: str = ""
    fields: dict[str, JsonValue] = Field(default_factory=dict)


class Discovery(Frozen):
    """One run, from an identifier to a served client or a reasoned refusal."""

    id: str
    identifier: str
    base_url: str | None = None
    refresh: bool = False
    deep: bool = False
    """Whether every source is asked, and more of each."""
    state: DiscoveryState = DiscoveryState.QUEUED
    created_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    steps: tuple[DiscoveryStep, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    calls: tuple[AgentCall, ...] = ()
    """Each question to a language model, in order; empty where rules were enough, or alone."""
    synthesis: str = ""
    """How the specification came about, in words: by rules, by rules alone and why, or by which model."""
    gaps: tuple[SourceGap, ...] = ()
    level: Level | None = None
    why_not_higher: str = ""
    version: int | None = None
    generation: int | None = None
    """The registry generation in which a running router confirmed to serve it; None where no router was running."""
    flow_run_id: str | None = None
    error: DiscoveryError | None = None
    digest: str | None = None
    """Of the candidate's specification, where it has to be approved."""
    changes: tuple[Change, ...] = ()
    """What that candidate would change against the version that is served."""
    verdict: Verdict | None = None

    @property
    def at_rest(self) -> bool:
        """Whether nothing more happens by itself: it has ended, or waits for approval."""
        return self.ended or self.state is DiscoveryState.WAITING

    @property
    def ended(self) -> bool:
        return self.state in (DiscoveryState.SUCCEEDED, DiscoveryState.FAILED)
