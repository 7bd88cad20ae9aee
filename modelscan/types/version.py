"""Versions of clients: which one is served, which one is tried, and what led to that."""

from typing import Literal, NamedTuple

from pydantic import AwareDatetime, Field

from modelscan.types.base import Frozen
from modelscan.types.catalogue import SdkVersion
from modelscan.types.identifier import ProviderId
from modelscan.types.synthesis import Change

__all__ = [
    "Activation",
    "ActivationKind",
    "Arm",
    "Canary",
    "CanaryCounts",
    "CanaryTerms",
    "Kept",
    "KnownVersion",
]

ActivationKind = Literal[
    "published", "activated", "rolled-back", "canary-started", "canary-stopped", "canary-promoted", "canary-rolled-back"
]


class Kept(NamedTuple):
    """A version's own files."""

    client: str
    test: str


class Arm(Frozen):
    """What was seen of one version: `errors` of `requests`."""

    requests: int = 0
    errors: int = 0

    @property
    def rate(self) -> float:
        """Of errors; 0 where nothing was asked."""
        return self.errors / self.requests if self.requests else 0.0


class CanaryCounts(Frozen):
    """Both sides since the trial began."""

    canary: Arm = Arm()
    base: Arm = Arm()
    """Of requests that only the version that is served was asked."""


class CanaryTerms(Frozen):
    """How a version is tried."""

    share: float = Field(gt=0, le=1)
    """Of the provider's requests."""
    margin: float = Field(default=0.05, ge=0, le=1)
    """By how much its error rate may be above that of the version that is served."""
    requests: int = Field(default=100, ge=1, le=1_000_000)
    """It is promoted once it was asked so many, and ..."""
    minutes: float = Field(default=30.0, ge=0, le=525_600)
    """... so long has passed."""


class Canary(CanaryTerms):
    """A version on trial."""

    provider: ProviderId
    version: int
    started_at: AwareDatetime
    generation: int
    """In which it began."""


class Activation(Frozen):
    """One step in what is served of a provider."""

    generation: int
    provider: ProviderId
    kind: ActivationKind
    version: int
    """The version that this is about: it is served from then on, tried, or tried no longer."""
    before: int | None = None
    """The version that was served until then."""
    actor: str
    """`admin token`, `token` and its name, `operator` (no service ran), `canary`, or `discovery` with its id."""
    why: str = ""
    counts: CanaryCounts | None = None
    """What a trial saw, where this ended one."""
    at: AwareDatetime


class KnownVersion(Frozen):
    """A version as people list it."""

    version: SdkVersion
    state: Literal["active", "canary", "kept", "gone"]
    """`gone`: its files are kept no longer, so that it cannot be served again."""
    changes: tuple[Change, ...] = ()
    """Against the version before, where the files of both are kept."""
