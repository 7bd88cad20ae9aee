"""The dossier: what is known of each field, by which rule, and who says otherwise."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from itertools import groupby
from operator import attrgetter

from pydantic import JsonValue

from modelscan.types import Claim, Known

__all__ = ["conflicts", "known"]

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("price.", ("operator", "models.dev", "genai-prices")),
    ("models", ("operator", "provider", "models.dev")),
    ("", ("operator", "builtin", "provider", "models.dev", "genai-prices")),
)
"""The beginning of a field -> the sources in the order in which they are believed. The first row that fits counts."""


def known(claims: Iterable[Claim]) -> tuple[Known, ...]:
    """Each field once, by subject and field."""
    ordered = sorted(claims, key=attrgetter("subject", "field"))
    return tuple(_of_one(list(group)) for _, group in groupby(ordered, key=attrgetter("subject", "field")))


def conflicts(claims: Iterable[Claim]) -> tuple[Known, ...]:
    """The fields on which sources disagree."""
    return tuple(one for one in known(claims) if one.differ)


def _of_one(claims: Sequence[Claim]) -> Known:
    field = claims[0].field
    order = next(sources for prefix, sources in _RULES if field.startswith(prefix))
    chosen, *others = sorted(claims, key=lambda claim: (_rank(order, claim.source), claim.source))
    return Known(
        subject=chosen.subject,
        field=field,
        chosen=chosen,
        why=_why(chosen, others),
        agree=tuple(claim.source for claim in others if _same(claim.value, chosen.value)),
        differ=tuple(claim for claim in others if not _same(claim.value, chosen.value)),
    )


def _rank(order: Sequence[str], source: str) -> int:
    return order.index(source) if source in order else len(order)


def _why(chosen: Claim, others: Sequence[Claim]) -> str:
    if not others:
        return "the only source that says it"
    return f"{chosen.source} comes before {', '.join(claim.source for claim in others)} here"


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Whether they mean the same: prices by their amount, addresses without a slash at the end."""
    if isinstance(one, str) and isinstance(other, str):
        try:
            return Decimal(one) == Decimal(other)
        except InvalidOperation:
            return one.rstrip("/") == other.rstrip("/")
    return one == other
