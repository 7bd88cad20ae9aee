"""genai-prices: prices that are kept apart from models.dev's; its live list, or the one that its package ships."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from importlib import metadata
from typing import Any

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.sources.http import ask
from modelscan.sources.model_match import clause_of, fits
from modelscan.sources.quantities import Dollars
from modelscan.sources.source import Said, Source, SourceRequest
from modelscan.sources.tariffs import amounts, said_beyond, tariff
from modelscan.types import ModelId, Price, SourceGap, SourceRecord, Tariff, utc_now

__all__ = ["GENAI_PRICES", "THEIR_IDS", "ids_of", "prices_of", "record_of", "shipped"]

NAME = "genai-prices"
THEIR_IDS = {
    "amazon-bedrock": "aws",
    "azure-cognitive-services": "azure",
    "cloudflare-workers-ai": "cloudflare",
    "fireworks-ai": "fireworks",
    "google-vertex": "google",
    "google-vertex-anthropic": "google",
    "minimax-cn": "minimax",
    "moonshotai-cn": "moonshotai",
    "novita-ai": "novita",
    "togetherai": "together",
    "xai": "x-ai",
}
"""models.dev's id of a provider -> theirs, where they differ; theirs names the hosts that it prices."""
_FIELDS = tuple(Price.model_fields)
_MAX_BYTES = 16 * 2**20
_RATES = {
    **{name: name for name in Price.model_fields},
    "output_reasoning_mtok": "reasoning_mtok",
    "input_audio_mtok": "input_audio_mtok",
    "output_audio_mtok": "output_audio_mtok",
    "input_image_mtok": "input_image_mtok",
    "output_image_mtok": "output_image_mtok",
    "requests_kcount": "request_usd",
}
"""Their name -> ours."""


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


class Step(_Theirs):
    start: int = Field(gt=0, lt=10**12)
    """The price counts for prompts that are longer than that, and for all of their tokens."""
    price: Dollars


class Tiered(_Theirs):
    """A price that rises with the length of the prompt; `base` is that of a short one."""

    base: Dollars
    tiers: tuple[Step, ...] = ()

    def at(self, start: int) -> Decimal:
        """That of a prompt just longer than `start`."""
        reached = [step for step in self.tiers if step.start <= start]
        return max(reached, key=lambda step: step.start).price if reached else self.base


Rate = Dollars | Tiered | None


class Prices(_Theirs):
    """US dollars per million tokens, and for a thousand requests."""

    input_mtok: Rate = None
    output_mtok: Rate = None
    cache_read_mtok: Rate = None
    cache_write_mtok: Rate = None
    output_reasoning_mtok: Rate = None
    input_audio_mtok: Rate = None
    output_audio_mtok: Rate = None
    input_image_mtok: Rate = None
    output_image_mtok: Rate = None
    requests_kcount: Rate = None

    @property
    def tariff(self) -> Tariff:
        """All of it; each tier with all the rates that count in it."""
        told = {name: rate for name in _RATES if (rate := getattr(self, name)) is not None}
        starts = {step.start for rate in told.values() if isinstance(rate, Tiered) for step in rate.tiers}
        return tariff(_rates_at(told, 0), [{**_rates_at(told, start), "over": start} for start in sorted(starts)])


class Constraint(_Theirs):
    """From which day a price counts, or in which hours (UTC, perhaps over midnight)."""

    start_date: date | None = None
    start_time: time | None = None
    end_time: time | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it holds then; one of a kind that is not known here never does."""
        if self.start_date:
            return self.start_date <= at.date()
        if self.start_time and self.end_time:
            now, start, end = (one.replace(tzinfo=None) for one in (at.time(), self.start_time, self.end_time))
            return start <= now < end if start <= end else now >= start or now < end
        return False


class Conditional(_Theirs):
    prices: Prices
    constraint: Constraint | None = None


class PricedModel(_Theirs):
    id: ModelId
    prices: Prices | tuple[Conditional, ...]

    def at(self, when: datetime) -> Prices | None:
        """The last price whose constraint holds, as they resolve it."""
        if isinstance(self.prices, Prices):
            return self.prices
        return next(
            (one.prices for one in reversed(self.prices) if not one.constraint or one.constraint.holds(when)), None
        )


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """The prices of one provider's models, or a gap."""
    provider = request.identifier.provider
    url = request.settings.genai_prices_url
    try:
        answer = await ask(request.http, "GET", url, limit=_MAX_BYTES)
        if answer.status != 200 or not isinstance(answer.json_body, list):
            raise SourceUnavailable(f"{url} answered {answer.status} and no list.", url=url)
    except (SourceUnavailable, HostRefused) as error:
        version = metadata.version(NAME)
        note = f"stale snapshot, without a date, from the package {NAME} {version}: {error.message.rstrip('.')}"
        listed = await anyio.to_thread.run_sync(shipped)
        return record_of(listed, provider, url=f"pkg:pypi/{NAME}@{version}", sha256=None, note=note)
    sha256 = hashlib.sha256(answer.body).hexdigest()
    return record_of(answer.json_body, provider, url=url, sha256=sha256, note="")


def record_of(
    listed: Iterable[Any], provider: str, *, url: str, sha256: str | None, note: str
) -> SourceRecord | SourceGap:
    """The record of one provider of their list, by model; `sha256` None marks it as the shipped one.

    A gap where the list lacks the provider; models that cannot be read are counted in the record's note.
    """
    theirs = THEIR_IDS.get(provider, provider)
    row = next((one for one in listed if _get(one, "id") == theirs), None)
    if row is None:
        reason = f"{NAME} has no prices of {provider}{f' ({note})' if note else ''}"
        return SourceGap(source=NAME, kind="unknown", reason=reason)
    rows = _rows(_get(row, "models"))
    models, clauses, bad = _read(rows)
    payload: JsonValue = {
        "id": theirs,
        "pages": [page for page in _rows(_get(row, "pricing_urls")) if isinstance(page, str)],
        "models": models,
        "match": clauses,
    }
    counted = f"{bad} of {len(rows)} models cannot be read" if bad else ""
    more = {"sha256": sha256} if sha256 else {"stale": True}
    note = "; ".join(filter(None, (note, counted)))
    return SourceRecord.of(source=NAME, subject=provider, url=url, payload=payload, trusted=False, note=note, **more)


def ids_of(listed: Any) -> Iterable[str]:
    """The providers of their list that models.dev calls otherwise, and those that it may not have.

    Raises ValueError where it is no list.
    """
    if not isinstance(listed, list):
        raise ValueError(f"{NAME}'s list is no array")
    ids = {one for row in listed if isinstance(one := _get(row, "id"), str)}
    return [*(ours for ours, theirs in THEIR_IDS.items() if theirs in ids), *(ids - set(THEIR_IDS.values()))]


def prices_of(record: SourceRecord, wanted: Collection[str] = ()) -> dict[str, Price]:
    """Model id -> price, of a record: by their own ids, and by those of `wanted` that exactly one row speaks of."""
    return {model: price for model, (price, _) in _told(record, wanted).items()}


def _told(record: SourceRecord, wanted: Collection[str]) -> dict[str, tuple[Price, Tariff]]:
    """Likewise, with what specifications do not state."""
    payload = record.payload if isinstance(record.payload, dict) else {}
    models, clauses = (found if isinstance(found := payload.get(key), dict) else {} for key in ("models", "match"))
    try:
        prices = {model: _parts(row) for model, row in models.items()}
    except ValidationError:  # Written in another form by an older version.
        return {}
    for model in set(wanted) - set(prices):
        rows = [one for one, clause in clauses.items() if one in prices and fits(clause, model)]
        if len(rows) == 1:
            prices[model] = prices[rows[0]]
    return prices


def _parts(row: Any) -> tuple[Price, Tariff]:
    own = {name: row[name] for name in Price.model_fields if name in row} if isinstance(row, dict) else row
    more = {name: value for name, value in row.items() if name not in own} if isinstance(row, dict) else {}
    return Price.model_validate(own), Tariff.model_validate(more)


def _rates_at(told: Mapping[str, Rate], start: int) -> dict[str, Any]:
    """Our rates of a prompt that is just longer than `start`."""
    plain = {name: rate.at(start) if isinstance(rate, Tiered) else rate for name, rate in told.items()}
    if (thousand := plain.get("requests_kcount")) is not None:
        plain["requests_kcount"] = thousand / 1000
    return amounts(plain, _RATES)


def _read(rows: Iterable[Any]) -> tuple[dict[str, JsonValue], dict[str, JsonValue], int]:
    """(prices by model, match clauses by model, how many rows could not be read)."""
    # Where a price changes with the hour, the one at noon (UTC) stands for it.
    noon = utc_now().replace(hour=12, minute=0, second=0, microsecond=0)
    models: dict[str, JsonValue] = {}
    clauses: dict[str, JsonValue] = {}
    bad = 0
    for row in rows:
        try:
            model = PricedModel.model_validate(row)
        except ValidationError:
            bad += 1
            continue
        prices = model.at(noon)
        price = Price(**{field: _plain(getattr(prices, field, None)) for field in _FIELDS})
        more = {name: said for name, said in _stated(prices).items() if name not in _FIELDS}
        if price != Price() or more:
            models[model.id] = {**price.model_dump(mode="json", exclude_none=True), **more}
            if (clause := clause_of(_get(row, "match"))) not in (None, {"equals": model.id.lower()}):
                clauses[model.id] = clause
    return models, clauses, bad


def _rows(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _stated(prices: Prices | None) -> dict[str, JsonValue]:
    return prices.tariff.stated() if prices else {}


def _plain(price: Decimal | Tiered | None) -> Decimal | None:
    return price.base if isinstance(price, Tiered) else price


def _get(row: Any, name: str) -> Any:
    """A member of their live JSON, or an attribute of what their package ships."""
    return row.get(name) if isinstance(row, dict) else getattr(row, name, None)


def shipped() -> Iterable[Any]:
    """The providers of the package's own snapshot."""
    # A megabyte and a half of Python, imported only where it is needed.
    from genai_prices.data import providers

    return providers


def _claims(record: SourceRecord, models: Collection[str]) -> Iterable[Said]:
    for model, (price, more) in _told(record, models).items():
        for field, value in price.model_dump(mode="json", exclude_none=True).items():
            yield Said(f"{record.subject}/{model}", f"price.{field}", value)
        yield from said_beyond(f"{record.subject}/{model}", more)


GENAI_PRICES = Source(name=NAME, fetch=fetch, claims=_claims)
