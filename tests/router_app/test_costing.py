from decimal import Decimal

import pytest

from modelscan.types import Usage
from modelscan.usage.prices import PriceBook
from router_app.costing import cost_of
from tests.usage.pricing import version

PRICE = version(input_mtok=1, output_mtok=2)
BOOK = PriceBook([PRICE])
ASKED = ("acme", "anvil")
COST = Decimal("0.000003")


@pytest.mark.parametrize(
    ("asked", "usage", "status", "error_code", "cost"),
    [
        (ASKED, Usage(1, 1), 200, None, COST),
        (ASKED, Usage(1, 1), 0, None, COST),
        (ASKED, Usage(1, 1), 500, None, COST),
        (ASKED, Usage(1, 1), 504, "upstream-timeout", COST),
        (ASKED, Usage(), 200, None, None),
        (ASKED, Usage(), 0, None, None),
        (ASKED, Usage(), 502, "upstream-failed", None),
        (ASKED, Usage(), 504, "upstream-timeout", None),
        (ASKED, Usage(), 502, "no-candidate-left", None),
        (ASKED, Usage(), 429, None, Decimal(0)),
        (ASKED, Usage(), 503, "no-usable-key", Decimal(0)),
        (("acme", "rocket"), Usage(1, 1), 200, None, None),
        (None, Usage(), 404, "model-not-found", Decimal(0)),
        (None, Usage(), 401, "unauthorized", Decimal(0)),
    ],
)
def test_a_request_costs_what_it_used_and_nothing_where_it_was_refused(
    asked: tuple[str, str] | None, usage: Usage, status: int, error_code: str | None, cost: Decimal | None
) -> None:
    found = cost_of(BOOK, asked, usage, status=status, error_code=error_code)
    assert found == (cost, PRICE.id if cost else None)


def test_to_count_tokens_costs_nothing() -> None:
    assert cost_of(BOOK, ASKED, Usage(), status=200, error_code=None, operation="count_tokens") == (Decimal(0), None)
