"""The dossier: what is known of each field, by which rule, and who says otherwise."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from itertools import groupby
from operator import attrgetter

from pydantic import JsonValue

from modelscan.types import Claim, Dossier, Identifier, Known, ModelSummary, Price

__all__ = ["EXPECTED", "conflicts", "dossier_of", "known"]

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("price.", ("operator", "models.dev", "genai-prices")),
    ("models", ("operator", "provider", "models.dev")),
    (
        "",
        (
            *("operator", "builtin", "provider", "gpustack", "models.dev", "genai-prices"),
            *("huggingface", "modelscope", "gpustack-catalogue", "openapi"),
        ),
    ),
)
"""The beginning of a field -> the sources in the order in which they are believed. The first row that fits counts."""

EXPECTED = (*(f"price.{name}" for name in Price.model_fields), "context_tokens", "output_tokens")
"""What one wants to know of every model: said to be unknown where no source gives it."""


def known(claims: Iterable[Claim]) -> tuple[Known, ...]:
    """Each field once, by subject and field."""
    ordered = sorted(claims, key=attrgetter("subject", "field"))
    return tuple(_of_one(list(group)) for _, group in groupby(ordered, key=attrgetter("subject", "field")))


def conflicts(claims: Iterable[Claim]) -> tuple[Known, ...]:
    """The fields on which sources disagree."""
    return tuple(one for one in known(claims) if one.differ)


def dossier_of(subject: Identifier, claims: Iterable[Claim]) -> Dossier:
    """Of a model its own fields; of a provider its own fields and how much is known of each of its models."""
    fields = known(claims)
    own = tuple(one for one in fields if one.subject == str(subject))
    if subject.model is not None:
        return Dossier(subject=str(subject), fields=own, unknown=_unknown(own))
    below = f"{subject.provider}/"
    of_models = (one for one in fields if one.subject.startswith(below))
    models = tuple(
        _summary(name[len(below) :], list(group)) for name, group in groupby(of_models, attrgetter("subject"))
    )
    return Dossier(subject=str(subject), fields=own, models=models)


def _summary(model: str, fields: Sequence[Known]) -> ModelSummary:
    disputed = sum(1 for one in fields if one.differ)
    return ModelSummary(model=model, known=len(fields), conflicts=disputed, unknown=_unknown(fields))


def _unknown(fields: Iterable[Known]) -> tuple[str, ...]:
    said = {one.field for one in fields}
    return tuple(field for field in EXPECTED if field not in said)


def _of_one(claims: Sequence[Claim]) -> Known:
    field = claims[0].field
    order = next(sources for prefix, sources in _RULES if field.startswith(prefix))
    chosen, *others = sorted(claims, key=lambda claim: (_rank(order, claim.source), claim.source))
    return Known(
        subject=chosen.subject,
        field=field,
        chosen=chosen,
        why=_why(chosen, others),
        agree=tuple(claim.source for claim in others if _same(field, claim.value, chosen.value)),
        differ=tuple(claim for claim in others if not _same(field, claim.value, chosen.value)),
    )


def _rank(order: Sequence[str], source: str) -> int:
    return order.index(source) if source in order else len(order)


def _why(chosen: Claim, others: Sequence[Claim]) -> str:
    if not others:
        return "the only source that says it"
    return f"{chosen.source} comes before {', '.join(claim.source for claim in others)} here"


def _same(field: str, one: JsonValue, other: JsonValue) -> bool:
    """Whether they mean the same: prices by their amount, addresses without a slash at the end."""
    if not isinstance(one, str) or not isinstance(other, str):
        return one == other
    if field == "base_url":
        return one.rstrip("/") == other.rstrip("/")
    try:
        return one == other or (field.startswith("price.") and Decimal(one) == Decimal(other))
    except InvalidOperation:
        return False
