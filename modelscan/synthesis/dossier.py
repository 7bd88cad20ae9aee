"""The dossier: what is known of each field, by which rule, and who says otherwise."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from itertools import groupby
from operator import attrgetter

from pydantic import JsonValue

from modelscan.types import Claim, Decision, Dossier, Identifier, Known, ModelSummary, Price, Tariff, digest_of

__all__ = ["EXPECTED", "PIN", "PRICES", "conflicts", "dossier_of", "known", "seen_of"]

PIN = "pin"
"""The source of what the operator pinned."""

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("price.", (PIN, "operator", "models.dev", "genai-prices")),
    ("models", (PIN, "operator", "provider", "models.dev")),
    (
        "",
        (
            *(PIN, "operator", "builtin", "provider", "gpustack", "models.dev", "genai-prices"),
            *("huggingface", "modelscope", "gpustack-catalogue", "openapi"),
        ),
    ),
)
"""The beginning of a field -> the sources in the order in which they are believed. The first row that fits counts."""

EXPECTED = (*(f"price.{name}" for name in Price.model_fields), "context_tokens", "output_tokens")
"""What one wants to know of every model: said to be unknown where no source gives it."""

PRICES = tuple(f"price.{name}" for name in Tariff.model_fields)
"""All that can be said of a model's price; most of it is seldom there."""


def known(claims: Iterable[Claim], decisions: Iterable[Decision] = ()) -> tuple[Known, ...]:
    """Each field once, by subject and field: what the rules make of the claims, and the operator of both."""
    decided: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    said: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for decision in decisions:
        decided[decision.subject, decision.field].append(decision)
    for claim in claims:
        said[claim.subject, claim.field].append(claim)
    pinned = {place for place, found in decided.items() if any(one.kind == "pin" for one in found)}
    return tuple(_of_one(*place, said[place], decided[place]) for place in sorted({*said, *pinned}))


def conflicts(
    claims: Iterable[Claim], decisions: Iterable[Decision] = (), *, settled: bool = False
) -> tuple[Known, ...]:
    """The fields on which sources disagree; with `settled` also those that the operator has decided."""
    return tuple(one for one in known(claims, decisions) if one.open or (settled and (one.settled or one.rejected)))


def dossier_of(subject: Identifier, claims: Iterable[Claim], decisions: Iterable[Decision] = ()) -> Dossier:
    """Of a model its own fields; of a provider its own fields and how much is known of each of its models."""
    fields = known(claims, decisions)
    own = tuple(one for one in fields if one.subject == str(subject))
    if subject.model is not None:
        return Dossier(subject=str(subject), fields=own, unknown=_unknown(own))
    below = f"{subject.provider}/"
    of_models = (one for one in fields if one.subject.startswith(below))
    models = tuple(
        _summary(name[len(below) :], list(group)) for name, group in groupby(of_models, attrgetter("subject"))
    )
    return Dossier(subject=str(subject), fields=own, models=models)


def seen_of(claims: Iterable[Claim]) -> str:
    """A digest of who says what of one field: when it changes, what was accepted is open again."""
    return digest_of(sorted([claim.source, digest_of(claim.value)] for claim in claims))


def _summary(model: str, fields: Sequence[Known]) -> ModelSummary:
    disputed = sum(1 for one in fields if one.open)
    return ModelSummary(model=model, known=len(fields), conflicts=disputed, unknown=_unknown(fields))


def _unknown(fields: Iterable[Known]) -> tuple[str, ...]:
    said = {one.field for one in fields if one.chosen}
    return tuple(field for field in EXPECTED if field not in said)


def _of_one(subject: str, field: str, claims: Sequence[Claim], decisions: Sequence[Decision]) -> Known:
    unwanted = {one.source for one in decisions if one.kind == "reject"}
    rejected = tuple(claim for claim in claims if claim.source in unwanted)
    left = [claim for claim in claims if claim.source not in unwanted]
    pin = next((_as_claim(one) for one in decisions if one.kind == "pin"), None)
    if pin is None and not left:
        return Known(subject=subject, field=field, chosen=None, why="every claim is rejected", rejected=rejected)
    accepted = any(one.kind == "accept" and one.seen == seen_of(left) for one in decisions)
    order = next(sources for prefix, sources in _RULES if field.startswith(prefix))
    ranked = sorted(left, key=lambda claim: (_rank(order, claim.source), claim.source))
    chosen, *others = [pin, *ranked] if pin else ranked
    return Known(
        subject=subject,
        field=field,
        chosen=chosen,
        why=_why(chosen, others),
        agree=tuple(claim.source for claim in others if _same(field, claim.value, chosen.value)),
        differ=tuple(claim for claim in others if not _same(field, claim.value, chosen.value)),
        rejected=rejected,
        settled="pinned" if pin else "accepted" if accepted else "",
    )


def _as_claim(pin: Decision) -> Claim:
    return Claim(
        subject=pin.subject,
        field=pin.field,
        value=pin.value,
        source=PIN,
        url=f"modelscan:decisions/{pin.id}",
        fetched_at=pin.at,
        sha256=digest_of(pin.value),
        stale=False,
        confidence=1.0,
        record=pin.id,
    )


def _rank(order: Sequence[str], source: str) -> int:
    return order.index(source) if source in order else len(order)


def _why(chosen: Claim, others: Sequence[Claim]) -> str:
    if chosen.source == PIN:
        return "the operator pinned it"
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
