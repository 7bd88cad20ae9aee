"""Hugging Face: a model on the hub with its card, who runs it, and what the router lists with contexts and prices.

Facts of a model: `task`, `library`, `license`, `base_model`, `gated`, `parameters`, `context_tokens`; of Hugging Face
as a provider also `inference_providers` (who runs it, at which price and context), and `price.*` where all that state
one agree.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from modelscan.sources.http import Answer
from modelscan.sources.hub_id import hub_id_of
from modelscan.sources.model_card import MAX_CARD_BYTES, card_of
from modelscan.sources.quantities import Dollars, Tokens
from modelscan.sources.source import Said, Source, SourceRequest, answer_or_gap
from modelscan.types import ModelId, SourceGap, SourceRecord

__all__ = ["HUGGINGFACE", "claims", "mapping_of", "routed_of"]

NAME = "huggingface"
_MAX_BYTES = 8 * 2**20
_MAX_MODELS = 5_000
_EXPAND = ("inferenceProviderMapping", "gated", "pipeline_tag", "library_name", "safetensors", "gguf")
_WRITTEN_BY_ANYBODY = 0.4
T = TypeVar("T", bound=BaseModel)


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Mapped(_Theirs):
    """One who runs a model, and what they call it."""

    provider: str = Field(max_length=64)
    provider_id: str = Field(alias="providerId", max_length=256)
    status: str = Field(max_length=32)
    task: str = Field(max_length=64)


class Weights(_Theirs):
    total: Tokens | None = None
    context_length: Tokens | None = None


class ModelInfo(_Theirs):
    """`/api/models/{id}`; `inferenceProviderMapping` has two shapes, which `mapping_of` reads."""

    id: str = Field(max_length=256)
    gated: bool | Literal["auto", "manual"] | None = None
    pipeline_tag: str | None = Field(default=None, max_length=64)
    library_name: str | None = Field(default=None, max_length=64)
    safetensors: Weights | None = None
    gguf: Weights | None = None
    mapping: Any = Field(default=None, alias="inferenceProviderMapping")


class Rates(_Theirs):
    """US dollars per million tokens."""

    input: Dollars | None = None
    output: Dollars | None = None


class Offer(_Theirs):
    """One who runs a model that the router lists."""

    provider: str = Field(max_length=64)
    status: str = Field(max_length=32)
    context_length: Tokens | None = None
    pricing: Rates | None = None
    supports_tools: bool | None = None
    supports_structured_output: bool | None = None


class Routed(_Theirs):
    """One model that the router lists."""

    id: ModelId
    providers: tuple[Any, ...] = ()


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """The asked model on the hub, and, where Hugging Face itself is the provider, what its router lists."""
    model, own = hub_id_of(request.identifier), _is_own(request)
    if model is None and not own:
        return None
    hub, router = request.settings.huggingface_url.rstrip("/"), request.settings.huggingface_router_url.rstrip("/")
    info_url = f"{hub}/api/models/{model}?{'&'.join(f'expand={name}' for name in _EXPAND)}"
    asked = {
        "model": (info_url, model),
        "card": (f"{hub}/{model}/raw/main/README.md", model),
        "router": (f"{router}/models", own),
    }
    wanted = {part: url for part, (url, wanted) in asked.items() if wanted}
    answers = await asyncio.gather(*(_get(request, part, url) for part, url in wanted.items()))
    payload: dict[str, JsonValue] = {}
    gaps: list[SourceGap] = []
    notes: list[str] = []
    for part, came in zip(wanted, answers, strict=True):
        if isinstance(came, SourceGap):
            gaps.append(came)
            notes.append(came.reason)
            continue
        payload[part], note = _READ[part](came, model)
        notes.append(note)
    payload = {part: found for part, found in payload.items() if found}
    note = "; ".join(filter(None, notes))
    if not payload.keys() & {"model", "router"}:
        return (
            gaps[0] if gaps else SourceGap(source=NAME, kind="malformed", reason=note or f"{router} lists no {model}")
        )
    return SourceRecord.of(
        source=NAME,
        subject=HUGGINGFACE.subject(request),
        url=info_url if model else wanted["router"],
        payload=payload,
        trusted=False,
        note=note,
    )


def _is_own(request: SourceRequest) -> bool:
    return request.identifier.provider == NAME and not request.operator_named


async def _get(request: SourceRequest, part: str, url: str) -> Answer | SourceGap:
    return await answer_or_gap(request, NAME, url, limit=MAX_CARD_BYTES if part == "card" else _MAX_BYTES)


def _read_model(answer: Answer, _: str | None) -> tuple[JsonValue, str]:
    try:
        info = ModelInfo.model_validate(answer.json_body)
    except ValidationError as error:
        return None, f"what the hub says of it cannot be read: {error.errors()[0]['msg']}"
    mapped, bad = mapping_of(info.mapping)
    found = info.model_dump(mode="json", exclude={"mapping"}, exclude_none=True)
    found["providers"] = [one.model_dump(mode="json") for one in mapped]
    return found, f"{bad} of {len(mapped) + bad} inference providers cannot be read" if bad else ""


def mapping_of(theirs: Any) -> tuple[list[Mapped], int]:
    """(who runs a model, how many rows cannot be read): a dict by provider on one model, a list on many."""
    if isinstance(theirs, dict):
        theirs = [{**one, "provider": name} if isinstance(one, dict) else one for name, one in theirs.items()]
    return _rows(Mapped, theirs)


def _read_card(answer: Answer, _: str | None) -> tuple[JsonValue, str]:
    fields, note = card_of(answer.body)
    return fields or None, note


def _read_router(answer: Answer, model: str | None) -> tuple[JsonValue, str]:
    body = answer.json_body
    if not isinstance(listed := body.get("data") if isinstance(body, dict) else None, list):
        return None, "the router answered no list of models"
    routed, bad = routed_of(listed)
    kept = {name: offers for name, offers in routed.items() if model in (None, name)}
    note = f"{bad} of {len(listed)} models of the router cannot be read" if bad else ""
    return {name: [one.model_dump(mode="json", exclude_none=True) for one in kept[name]] for name in sorted(kept)}, note


def routed_of(listed: Any) -> tuple[dict[str, list[Offer]], int]:
    """(who offers each model of the router's list, how many of its models cannot be read)."""
    models, bad = _rows(Routed, listed[:_MAX_MODELS] if isinstance(listed, list) else [])
    return {model.id: _rows(Offer, list(model.providers))[0] for model in models}, bad


def _rows(kind: type[T], theirs: Any) -> tuple[list[T], int]:
    good: list[T] = []
    rows = theirs if isinstance(theirs, list) else []
    for row in rows:
        try:
            good.append(kind.model_validate(row))
        except ValidationError:
            continue
    return good, len(rows) - len(good)


_READ = {"model": _read_model, "card": _read_card, "router": _read_router}
_OFFERS = TypeAdapter(dict[str, list[Offer]])


def claims(record: SourceRecord, _models: Collection[str] = ()) -> Iterable[Said]:
    """What a record says of the model, of its card, and of what the router offers."""
    payload = record.payload if isinstance(record.payload, dict) else {}
    info, card = (found if isinstance(found := payload.get(part), dict) else {} for part in ("model", "card"))
    weights = [one for part in ("safetensors", "gguf") if isinstance(one := info.get(part), dict)]
    values: dict[str, JsonValue] = {
        "task": info.get("pipeline_tag"),
        "library": info.get("library_name"),
        "gated": info.get("gated"),
        "parameters": next((one["total"] for one in weights if one.get("total")), None),
        "context_tokens": next((one["context_length"] for one in weights if one.get("context_length")), None),
    }
    if record.subject != NAME:
        yield from (Said(record.subject, field, value) for field, value in values.items() if value not in (None, ""))
        for field in ("license", "base_model"):
            if value := card.get(field):
                yield Said(record.subject, field, value, _WRITTEN_BY_ANYBODY)
    yield from _offered(payload.get("router"), has_context=bool(values["context_tokens"]))


def _offered(theirs: JsonValue, *, has_context: bool) -> Iterable[Said]:
    try:
        routed = _OFFERS.validate_python(theirs or {})
    except ValidationError:
        return
    for model, offers in routed.items():
        live = [one for one in offers if one.status == "live"]
        subject = f"{NAME}/{model}"
        yield Said(subject, "inference_providers", [one.model_dump(mode="json", exclude_none=True) for one in live])
        contexts = [one.context_length for one in live if one.context_length]
        if contexts and not has_context:
            yield Said(subject, "context_tokens", min(contexts))  # The router may choose any of them.
        for field in ("input", "output"):
            prices = {price for one in live if one.pricing and (price := getattr(one.pricing, field)) is not None}
            if len(prices) == 1:
                yield Said(subject, f"price.{field}_mtok", str(prices.pop()))


def _concerns(request: SourceRequest) -> bool:
    return _is_own(request) or (request.deep and hub_id_of(request.identifier) is not None)


HUGGINGFACE = Source(name=NAME, fetch=fetch, concerns=_concerns, per_model=True, confidence=0.8, claims=claims)
