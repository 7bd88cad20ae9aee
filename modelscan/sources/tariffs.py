"""What a list says of prices beyond the four that specifications state: tiers, thoughts, sound, pictures, requests."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from modelscan.sources.source import Said
from modelscan.types import Price, Rates, Tariff, Tier
from modelscan.types.price import Amount

__all__ = ["amounts", "said_beyond", "tariff"]

_AMOUNT: TypeAdapter[Any] = TypeAdapter(Amount)


def amounts(said: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Our field -> its amount, of a row that says them by other names; what is no price is left out: unknown."""
    found: dict[str, Any] = {}
    for theirs, ours in names.items():
        value = said.get(theirs)
        if value is None or isinstance(value, bool):
            continue
        try:
            found[ours] = _AMOUNT.validate_python(str(value))
        except ValidationError:
            continue
    return found


def tariff(rates: Mapping[str, Any], tiers: Iterable[Mapping[str, Any]]) -> Tariff:
    """A tariff of amounts and of tiers (`over` and amounts); without those tiers that can be none."""
    read: dict[int, Tier] = {}
    for row in tiers:
        try:
            tier = Tier.model_validate(row)
        except ValidationError:
            continue
        read.setdefault(tier.over, tier)
    return Tariff(
        **{name: rates[name] for name in Rates.model_fields if name in rates}, tiers=tuple(read.values())[:20]
    )


def said_beyond(subject: str, said: Tariff) -> Iterable[Said]:
    """A claim for each thing that it says beyond `Price`: `price.reasoning_mtok`, …, and `price.tiers` as a list."""
    for field, value in said.stated().items():
        if field not in Price.model_fields:
            yield Said(subject, f"price.{field}", value)
