"""Small lists, as models.dev and genai-prices have them, and what is read of them."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from modelscan.sources.lists import LISTS, ReadList
from modelscan.types import CatalogueRun, Listing

__all__ = ["AT", "RUN", "listing", "lists", "model", "models_dev", "prices", "provider"]

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)
RUN = CatalogueRun(id="run", heard=("genai-prices", "models.dev"), started_at=AT)
_URLS = {"models.dev": "https://models.dev/api.json", "genai-prices": "https://prices.example/data.json"}


def model(name: str = "small", *, context: int | None = 8000, **cost: Any) -> dict[str, Any]:
    """A row of models.dev; `cost` as it spells it."""
    row: dict[str, Any] = {"id": name, "modalities": {"input": ["text"], "output": ["text"]}, "tool_call": True}
    row |= {"limit": {"context": context, "output": 1000}} if context else {}
    return row | {"cost": cost or {"input": 0.5, "output": 1.5}}


def provider(name: str = "acme", *models: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A provider of models.dev."""
    rows = models or (model(),)
    row = {"id": name, "name": name.title(), "env": [f"{name.upper()}_API_KEY"], "npm": "@ai-sdk/openai-compatible"}
    return row | {"api": f"https://api.{name}.invalid/v1", "models": {one["id"]: one for one in rows}} | more


def models_dev(*providers: dict[str, Any]) -> dict[str, Any]:
    """The whole list."""
    return {one["id"]: one for one in providers or (provider(),)}


def prices(name: str = "acme", **models: Mapping[str, float]) -> list[dict[str, Any]]:
    """A list of genai-prices with one provider; `models` by id, with their rates."""
    return [{"id": name, "models": [{"id": id_, "prices": dict(rates)} for id_, rates in models.items()]}]


def listing(source: str, value: Any, at: datetime = AT) -> Listing:
    """As if it had been answered."""
    body = json.dumps(value).encode()
    sha256 = hashlib.sha256(body).hexdigest()
    return Listing(source=source, url=_URLS[source], sha256=sha256, answered_at=at, checked_at=at, body=body)


def lists(listed: Any = None, priced: Any = None, at: datetime = AT) -> dict[str, ReadList]:
    """Both lists, read; without one that is None."""
    given = {"models.dev": listed, "genai-prices": priced}
    told = [one for one in LISTS if given[one.name] is not None]
    return {one.name: ReadList(one, listing(one.name, given[one.name], at)) for one in told}
