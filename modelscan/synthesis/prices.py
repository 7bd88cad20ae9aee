"""What each model of a provider costs, by the dossier's rules and the operator's decisions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pydantic import JsonValue, ValidationError

from modelscan.catalog import prices
from modelscan.catalog.database import Database
from modelscan.catalog.prices import Stated
from modelscan.synthesis.dossier import PRICES, known
from modelscan.synthesis.settled import OF_AN_OWN_SERVER
from modelscan.types import Claim, Decision, PriceSource, PriceVersion, Tariff
from modelscan.usage.prices import PriceBook

__all__ = ["load_book", "renew_prices", "stated_prices"]


def renew_prices(database: Database, provider: str, model: str | None = None) -> tuple[PriceVersion, ...]:
    """Take up what a provider's models, or one of them, cost now; returns the versions that are new."""
    return prices.renew(database, provider, stated_prices, model=model)


def load_book(database: Database, before: PriceBook | None = None) -> PriceBook:
    """The prices in force of what is published.

    What stands in the book of `before` is not read again. Without one, as at a start, those that an older ModelScan
    never took up are taken up first: to ask each time what nobody says costs 20 ms a provider.
    """
    if before is not None:
        return PriceBook(prices.in_force(database, before.by_id()))
    for provider in prices.unpriced(database):
        renew_prices(database, provider)
    return PriceBook(prices.in_force(database))


def stated_prices(
    claims: Iterable[Claim], decisions: Iterable[Decision], *, own_server: bool = False
) -> Mapping[str, Stated]:
    """Model -> what counts of its price, and who says so.

    Of a server that the operator named, only its own word and the operator's count: what lists say is of the provider's
    own host. A value that is no price is unknown.
    """
    told = [one for one in claims if one.field in PRICES and (not own_server or one.source in OF_AN_OWN_SERVER)]
    found: dict[str, dict[str, Claim]] = defaultdict(dict)
    for one in known(told, (decision for decision in decisions if decision.field in PRICES)):
        model = one.subject.partition("/")[2]
        if one.chosen and model:
            found[model][one.field.removeprefix("price.")] = one.chosen
    return {model: _stated(chosen) for model, chosen in found.items()}


def _stated(chosen: Mapping[str, Claim]) -> Stated:
    usable = {field: claim for field, claim in chosen.items() if _is_usable(field, claim.value)}
    tariff = Tariff.model_validate({field: claim.value for field, claim in usable.items()})
    return tariff, {field: _source(claim) for field, claim in usable.items()}


def _is_usable(field: str, value: JsonValue) -> bool:
    try:
        Tariff.model_validate({field: value})
    except ValidationError:
        return False
    return value is not None


def _source(claim: Claim) -> PriceSource:
    return PriceSource(
        source=claim.source, record=claim.record, url=claim.url, fetched_at=claim.fetched_at, stale=claim.stale
    )
