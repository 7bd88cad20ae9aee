"""What counts of each model's prices and limits, by the dossier's rules and the operator's decisions."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation

from pydantic import JsonValue

from modelscan.synthesis.dossier import EXPECTED, PIN, known
from modelscan.synthesis.evidence import Evidence, facts_of
from modelscan.types import Claim, Decision, Fact, Known, Model, Price, SourceRecord

__all__ = ["OF_AN_OWN_SERVER", "claims_of", "pins_record", "settled_models"]

OF_AN_OWN_SERVER = ("operator", "provider", "gpustack")
"""Who speaks of the server that the operator named; what lists say is of the provider's own host."""
_FIELDS = (*EXPECTED, "name")
_MOST_DOLLARS = 10**9


def pins_record(provider: str, decisions: Iterable[Decision]) -> SourceRecord | None:
    """What the operator pinned, as a record that specifications cite; None where there is nothing."""
    pins = [one for one in decisions if one.kind == "pin"]
    if not pins:
        return None
    own: dict[str, JsonValue] = {one.field: one.value for one in pins if one.subject == provider}
    others: dict[str, JsonValue] = {f"{one.subject} {one.field}": one.value for one in pins if one.subject != provider}
    payload: JsonValue = {**own, "models": others}
    return SourceRecord.of(source=PIN, subject=provider, url="modelscan:decisions", payload=payload, trusted=True)


def claims_of(evidence: Evidence, wanted: Callable[[Fact], bool] = lambda _: True) -> tuple[Claim, ...]:
    """What this run's records claim, as far as it is wanted."""
    records = {record.id: record for record in evidence.records}
    return tuple(
        Claim(
            **fact.model_dump(),
            source=record.source,
            url=record.url,
            fetched_at=record.fetched_at,
            sha256=record.sha256,
            stale=record.stale,
        )
        for fact in facts_of(evidence)
        if wanted(fact) and (record := records.get(fact.record))
    )


def settled_models(evidence: Evidence, models: Iterable[Model]) -> tuple[tuple[Model, ...], dict[str, str]]:
    """The models with what counts of each, and the records that it rests on by `models:SOURCE`.

    What nobody says stays unknown; what one list does not know, the next one may.
    """
    claims = claims_of(evidence)
    if evidence.record("operator"):
        claims = tuple(claim for claim in claims if claim.source in OF_AN_OWN_SERVER)
    found = {(one.subject, one.field): one for one in known(claims, evidence.decisions) if one.field in _FIELDS}
    cited: dict[str, str] = {}
    settled = tuple(_settled(model, evidence, found, cited) for model in models)
    return settled, cited


def _settled(model: Model, evidence: Evidence, found: Mapping[tuple[str, str], Known], cited: dict[str, str]) -> Model:
    flat = model.model_dump(exclude={"price"})
    flat |= {f"price.{name}": value for name, value in (model.price or Price()).model_dump().items()}
    for field in _FIELDS:
        one = found.get((f"{evidence.identifier.provider}/{model.id}", field))
        if one is None:
            continue
        flat[field] = _usable(field, one.chosen.value) if one.chosen else None
        record = evidence.record(one.chosen.source) if one.chosen and flat[field] is not None else None
        if record:
            cited[f"models:{record.source}"] = record.id
    prices = {name: flat.pop(f"price.{name}") for name in Price.model_fields}
    price = Price.model_validate(prices) if any(value is not None for value in prices.values()) else None
    return Model.model_validate({**flat, "price": price})


def _usable(field: str, value: JsonValue) -> JsonValue | Decimal:
    """The value where it can be one of that field, else None: what a source says is checked before it counts."""
    if field.startswith("price."):
        try:
            price = Decimal(str(value))
        except InvalidOperation:
            return None
        return price if price.is_finite() and 0 <= price < _MOST_DOLLARS else None
    if field.endswith("_tokens"):
        return value if isinstance(value, int) and value > 0 else None
    return value if isinstance(value, str) else None
