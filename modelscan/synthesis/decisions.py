"""Takes a decision of the operator: checks that it means something, and keeps it."""

import difflib
import json
from decimal import Decimal, InvalidOperation

from pydantic import JsonValue, ValidationError

from modelscan.catalog import decisions as table
from modelscan.catalog import providers, records
from modelscan.catalog.database import Database
from modelscan.errors import InvalidInput, NotFound
from modelscan.sources.source import is_base_url
from modelscan.synthesis.dossier import EXPECTED, PRICES, conflicts, seen_of
from modelscan.synthesis.prices import renew_prices
from modelscan.types import Claim, Decision, DecisionKind, Identifier, Tariff

__all__ = ["decide", "undo"]

_OF_A_PROVIDER = ("base_url", "name")
_OF_A_MODEL = (*dict.fromkeys((*EXPECTED, *PRICES)), "name")
_REJECTABLE = (*_OF_A_MODEL, "base_url", "package", "protocol")
"""Where a specification can do without a claim; of all else a rejection would change nothing."""
_MOST_DOLLARS = Decimal(10**9)
_DECIMALS = 6
_MOST_TOKENS = 2**53
_LONGEST_NAME = 200


def decide(database: Database, kind: DecisionKind, subject: str, field: str, given: str = "") -> Decision:
    """Keep one decision; `given` is the value to pin, or the source to reject.

    Of a price it counts at once for what requests cost, and otherwise from the next discovery on. Raises
    InvalidIdentifier, InvalidInput for what cannot be decided so (it lists what can be), NotFound for a subject of
    which nothing is known.
    """
    asked = Identifier.parse(subject)
    claims = records.claims(database, asked.provider)
    _check_subject(database, asked, claims)
    own = [claim for claim in claims if claim.subject == str(asked)]
    if kind == "accept":
        made = _accepted(asked, field, own, table.list_decisions(database, asked.provider))
    elif kind == "pin":
        made = Decision.of("pin", str(asked), field, value=_checked(asked, field, given.strip()))
    else:
        made = _rejected(asked, field, own, given.strip())
    table.save(database, made)
    _count(database, made)
    return made


def undo(database: Database, decision_id: str) -> Decision:
    """Take a decision back, and return it; raises DecisionNotFound."""
    undone = table.delete(database, decision_id)
    _count(database, undone)
    return undone


def _count(database: Database, decision: Decision) -> None:
    """Have a decision on a price count from now on."""
    of = Identifier.parse(decision.subject)
    if of.model is not None and decision.field in PRICES:
        renew_prices(database, of.provider, of.model)


def _check_subject(database: Database, asked: Identifier, claims: tuple[Claim, ...]) -> None:
    subjects = {claim.subject for claim in claims}
    subjects |= {f"{asked.provider}/{model.id}" for _, model in providers.models_of(database, asked.provider)}
    if asked.provider in providers.known_ids(database) or claims:
        subjects.add(asked.provider)
    if str(asked) not in subjects:
        raise NotFound(
            f"Nothing is known of {asked}.",
            hint=f"Add it first: modelscan add {asked}",
            nearest=difflib.get_close_matches(str(asked), subjects, n=3, cutoff=0.5),
        )


def _accepted(asked: Identifier, field: str, own: list[Claim], decisions: tuple[Decision, ...]) -> Decision:
    still_open = {one.field: one for one in conflicts(own, decisions) if one.subject == str(asked)}
    if field not in still_open:
        raise InvalidInput(
            f"There is no open conflict on {field!r} of {asked}. {_listed('Open are', still_open)}",
            hint=f"See: modelscan conflicts --provider {asked.provider}",
            fields=sorted(still_open),
        )
    found = still_open[field]
    used = {claim.source for claim in found.rejected}
    seen = seen_of(claim for claim in own if claim.field == field and claim.source not in used)
    return Decision.of("accept", str(asked), field, value=found.chosen.value if found.chosen else None, seen=seen)


def _rejected(asked: Identifier, field: str, own: list[Claim], source: str) -> Decision:
    if field not in _REJECTABLE:
        raise _unknown_field(field, _REJECTABLE, "no claim can be rejected")
    sources = sorted({claim.source for claim in own if claim.field == field})
    if source not in sources:
        raise InvalidInput(
            f"{source or 'Nobody'} does not say what {field} of {asked} is. {_listed('Those who do', sources)}",
            hint=f"See: modelscan dossier {asked}",
            sources=sources,
        )
    return Decision.of("reject", str(asked), field, source=source)


def _checked(asked: Identifier, field: str, text: str) -> JsonValue:
    """The value as it is kept. Raises InvalidInput."""
    fields = _OF_A_PROVIDER if asked.model is None else _OF_A_MODEL
    if field not in fields:
        raise _unknown_field(field, fields, f"no value of {asked} can be pinned")
    if field == "price.tiers":
        return _tiers(text)
    if field.startswith("price."):
        return _price(field, text)
    if field.endswith("_tokens"):
        return _tokens(field, text)
    if field == "base_url":
        if not is_base_url(text) or "$" in text:
            raise InvalidInput(
                f"{text[:80]!r} is not http(s)://HOST[:PORT][/PATH], without user, query or fragment.",
                hint="Such as https://api.example.com/v1.",
            )
        return text.rstrip("/")
    if not text or len(text) > _LONGEST_NAME or not text.isprintable():
        raise InvalidInput(f"A name is 1-{_LONGEST_NAME} printable characters.", hint="Give another one.")
    return text


def _price(field: str, text: str) -> str:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal(-1)
    exponent = price.as_tuple().exponent
    if (
        not price.is_finite()
        or not 0 <= price < _MOST_DOLLARS
        or not isinstance(exponent, int)
        or -exponent > _DECIMALS
    ):
        raise InvalidInput(
            f"{text[:40]!r} is no price: {field} is US dollars per million tokens, a decimal of 0 or more.",
            hint="Such as 0.27; at most six decimals.",
        )
    return f"{price:f}"


def _tiers(text: str) -> JsonValue:
    try:
        return Tariff.model_validate({"tiers": json.loads(text)}).stated().get("tiers", [])
    except ValueError as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is no JSON"
        raise InvalidInput(
            f"{text[:40]!r} is no list of tiers: {why}.",
            hint="""Such as '[{"over": 200000, "input_mtok": "2.5", "output_mtok": "15"}]', or [] for none.""",
        ) from None


def _tokens(field: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) <= _MOST_TOKENS:
        raise InvalidInput(f"{text[:40]!r} is no number of tokens for {field}.", hint="Such as 128000.")
    return int(text)


def _unknown_field(field: str, fields: tuple[str, ...], what: str) -> InvalidInput:
    return InvalidInput(
        f"Of the field {field[:80]!r} {what}. {_listed('The fields are', fields)}",
        hint="Write one of them as it stands here.",
        fields=list(fields),
    )


def _listed(what: str, names: object) -> str:
    found = [str(name) for name in names] if isinstance(names, list | tuple | dict) else []
    return f"{what}: {', '.join(found) or 'none'}."
