"""The sources that list many providers at once: asked once for all of them, and read for each."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from modelscan.errors import InvalidIdentifier
from modelscan.settings import DiscoverySettings
from modelscan.sources import genai_prices, models_dev
from modelscan.sources.conditional import ask_for_list
from modelscan.types import Identifier, Listing, SourceGap, SourceRecord

__all__ = ["LISTS", "ListSource", "ReadList"]


@dataclass(frozen=True)
class ListSource:
    """One of them."""

    name: str
    """As its Source's."""
    url: Callable[[DiscoverySettings], str]
    ids: Callable[[Any], Iterable[str]]
    """The list -> the providers in it, as we call them; raises ValueError where it is no list of theirs."""
    models: Callable[[Any], Mapping[str, Sequence[Any]]]
    """The list -> the models' rows by provider, all as they spell them."""
    record: Callable[[Any, str, Listing], SourceRecord | SourceGap]
    """(the list, a provider, where it is from) -> what it says of that provider."""

    async def ask(self, http: httpx2.AsyncClient, settings: DiscoverySettings, kept: Listing | None) -> Listing:
        """Its list, which is `kept` where nothing changed. Raises SourceUnavailable, HostRefused."""
        return await ask_for_list(http, self.url(settings), source=self.name, kept=kept)


class ReadList:
    """One list, parsed once for all of its providers."""

    def __init__(self, source: ListSource, listing: Listing) -> None:
        """Raises ValueError where the list has not the shape of that source's."""
        self.source = source
        self.listing = listing
        self._list = json.loads(listing.body)
        found = dict.fromkeys(one for one in source.ids(self._list) if _is_provider(one))
        self.providers: tuple[str, ...] = tuple(sorted(found))
        """By id; what cannot be an id of ours is left out."""

    def models(self) -> dict[str, list[dict[str, Any]]]:
        """The models' rows by provider, as the source spells them; what is no row is left out."""
        found = self.source.models(self._list)
        return {provider: [row for row in rows if isinstance(row, dict)] for provider, rows in found.items()}

    def record(self, provider: str) -> SourceRecord | SourceGap | None:
        """What it says of one provider; None where it does not know it, a gap where that cannot be read."""
        found = self.source.record(self._list, provider, self.listing)
        return None if isinstance(found, SourceGap) and found.kind == "unknown" else found


def _is_provider(text: str) -> bool:
    try:
        return Identifier.parse(text).provider == text
    except InvalidIdentifier:
        return False


def _ids_of_models_dev(listed: Any) -> Iterable[str]:
    if not isinstance(listed, dict):
        raise ValueError("models.dev's list is no object")
    return listed


def _models_of_models_dev(listed: dict[str, Any]) -> dict[str, Sequence[Any]]:
    rows = {name: row.get("models") for name, row in listed.items() if isinstance(row, dict)}
    return {name: [*models.values()] if isinstance(models, dict) else () for name, models in rows.items()}


def _models_of_genai_prices(listed: list[Any]) -> dict[str, Sequence[Any]]:
    rows = {str(row.get("id")): row.get("models") for row in listed if isinstance(row, dict)}
    return {name: models if isinstance(models, list) else () for name, models in rows.items()}


def _record_of_models_dev(listed: Any, provider: str, listing: Listing) -> SourceRecord | SourceGap:
    found = models_dev.record_of(listed, provider, url=listing.url, body=b"", fetched_at=None, note="")
    return _dated(found, listing)


def _record_of_genai_prices(listed: Any, provider: str, listing: Listing) -> SourceRecord | SourceGap:
    found = genai_prices.record_of(listed, provider, url=listing.url, sha256=listing.sha256, note="")
    return _dated(found, listing)


def _dated(found: SourceRecord | SourceGap, listing: Listing) -> SourceRecord | SourceGap:
    """What its server confirmed counts as answered then."""
    if isinstance(found, SourceGap):
        return found
    return found.model_copy(update={"fetched_at": listing.checked_at, "sha256": listing.sha256})


LISTS: tuple[ListSource, ...] = (
    ListSource(
        name=models_dev.NAME,
        url=lambda settings: settings.models_dev_url,
        ids=_ids_of_models_dev,
        models=_models_of_models_dev,
        record=_record_of_models_dev,
    ),
    ListSource(
        name=genai_prices.NAME,
        url=lambda settings: settings.genai_prices_url,
        ids=genai_prices.ids_of,
        models=_models_of_genai_prices,
        record=_record_of_genai_prices,
    ),
)
"""In the order in which they are asked."""
