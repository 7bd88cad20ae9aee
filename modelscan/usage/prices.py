"""The prices in force, in memory: what the router reckons a request's cost with."""

from collections.abc import Iterable
from decimal import Decimal

from modelscan.types import PriceVersion, Usage

__all__ = ["PriceBook"]


class PriceBook:
    """An immutable snapshot: one version a model of a provider. Swapping it is one assignment."""

    __slots__ = ("_versions",)

    def __init__(self, versions: Iterable[PriceVersion] = ()) -> None:
        self._versions = {(one.provider, one.model): one for one in versions}

    def __len__(self) -> int:
        return len(self._versions)

    def by_id(self) -> dict[str, PriceVersion]:
        """The versions, by their ids."""
        return {one.id: one for one in self._versions.values()}

    def of(self, provider: str, model: str) -> PriceVersion | None:
        """The version in force; None where nothing was ever said of that model's price."""
        return self._versions.get((provider, model))

    def cost(self, provider: str, model: str, usage: Usage) -> tuple[Decimal | None, str | None]:
        """(US dollars of a request, the id of the version they are reckoned with); both None where it is unknown."""
        version = self._versions.get((provider, model))
        if version is None:
            return None, None
        cost = version.cost(usage)
        return cost, version.id if cost is not None else None

    def most(self, provider: str, model: str, prompt: int, completion: int) -> Decimal | None:
        """US dollars that a request of at most so many tokens may cost; None where that is unknown.

        What is read from a cache counts in full, and what may be written to one at that price.
        """
        version = self._versions.get((provider, model))
        return version.most(prompt, completion) if version else None
