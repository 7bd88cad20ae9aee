"""A run over the whole catalogue, and what it saw of each provider."""

from pydantic import AwareDatetime

from modelscan.types.base import Frozen
from modelscan.types.drift import ProviderState
from modelscan.types.identifier import ProviderId

__all__ = ["CatalogueRun", "Look", "Published"]


class CatalogueRun(Frozen):
    """One run over all providers, from its begin to its end, however often it was interrupted in between."""

    id: str
    heard: tuple[str, ...] = ()
    """The lists, and who else was asked, that runs before it heard: of no other one is a provider new."""
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None

    @property
    def first(self) -> bool:
        """Whether there is nothing to compare with: then it finds no changes."""
        return not self.heard


class Look(Frozen):
    """What was last seen of one provider."""

    provider: ProviderId
    inputs: str
    """A digest of the records that the state was read from: where it is the same, so is the state."""
    sources: tuple[str, ...]
    """The lists that there were, and who else was asked, by name: only what the same ones say is compared."""
    state: ProviderState
    observed_at: AwareDatetime
    run_id: str
    """The catalogue's run that looked last."""
    pending: bool = False
    """Whether a change of it is held or was rejected: then it is looked at again, whatever the sources say."""


class Published(Frozen):
    """A provider that is served, and what it was added as."""

    provider: ProviderId
    identifier: str
    base_url: str | None = None
    """The operator's own, where they gave one."""
