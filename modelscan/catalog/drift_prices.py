"""Claims as they count: a price that is held or was rejected is what it was before."""

import json
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from modelscan.types import Claim, DriftEvent, DriftKind

__all__ = ["as_they_count"]


def as_they_count(claims: Iterable[Claim], withheld: Iterable[DriftEvent]) -> tuple[Claim, ...]:
    """The claims, but that who claims a price that must not take effect still says the one before it.

    A price that came is left out, and one that went is said on, by the record that said it. What else is claimed stays.
    """
    prices: dict[tuple[str, str], list[DriftEvent]] = defaultdict(list)
    for event in withheld:
        if event.kind is DriftKind.PRICE:
            prices[event.subject, event.field].append(event)
    if not prices:
        return tuple(claims)
    found: list[Claim] = []
    for claim in claims:
        events = prices.get((claim.subject, claim.field), [])
        withheld_one = next((one for one in events if _is(claim.value, one.after)), None)
        if withheld_one is None:
            found.append(claim)
        elif withheld_one.before is not None:
            found.append(claim.model_copy(update={"value": _value(withheld_one.before)}))
    told = {(claim.subject, claim.field) for claim in found}
    went = (one for place, events in prices.items() for one in events if one.after is None and place not in told)
    return (*found, *(_said_on(event) for event in went if event.evidence))


def _is(value: object, text: str | None) -> bool:
    """Whether a claim's value is the one that an event tells as text."""
    if text is None:
        return False
    try:
        return Decimal(str(value)) == Decimal(text)
    except InvalidOperation:
        return bool(_value(text) == value)


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_float=str)
    except ValueError:
        return text


def _said_on(event: DriftEvent) -> Claim:
    record = event.evidence[-1]
    return Claim(
        subject=event.subject,
        field=event.field,
        value=_value(event.before or ""),
        source=record.source,
        url=record.url,
        fetched_at=record.fetched_at,
        sha256="",
        stale=False,
        confidence=1.0,
        record=record.record,
    )
