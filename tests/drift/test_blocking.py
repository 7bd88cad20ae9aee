from decimal import Decimal

import pytest

from modelscan.drift.blocking import blocked
from modelscan.types import Auth, ClientSpec, DriftEvent, DriftKind, Model, Price
from tests.catalog.samples import spec
from tests.drift.looks import change

SMALL = Model(id="small", context_tokens=8000, price=Price(input_mtok=Decimal("0.1")))
SERVED = spec(SMALL)


def of_provider(kind: DriftKind, after: str = "new") -> DriftEvent:
    return change("old", after, kind=kind, field=str(kind), model=None)


def with_small(**changes: object) -> ClientSpec:
    return spec(SMALL.model_copy(update=changes))


LIMIT = change("8000", "9000", kind=DriftKind.LIMIT, field="context_tokens")
CAME = change(None, "listed", kind=DriftKind.MODELS, field="models", model="tiny")


@pytest.mark.parametrize(
    ("after", "event"),
    [
        (SERVED.model_copy(update={"base_url": "https://new.test"}), of_provider(DriftKind.BASE_URL)),
        (SERVED.model_copy(update={"protocol": "anthropic_messages"}), of_provider(DriftKind.PROTOCOL)),
        (SERVED.model_copy(update={"auth": Auth(header="x-api-key")}), of_provider(DriftKind.AUTH)),
        (with_small(context_tokens=9000), LIMIT),
        (spec(SMALL, Model(id="tiny")), CAME),
    ],
)
def test_a_candidate_is_blocked_by_the_change_that_it_would_bring_and_by_no_other(
    after: ClientSpec, event: DriftEvent
) -> None:
    assert blocked(SERVED, after, [event]) == (event,)
    assert blocked(SERVED, after, [event.model_copy(update={"provider": "bolt"})]) == ()
    assert blocked(SERVED, SERVED, [event]) == ()


@pytest.mark.parametrize(
    "event",
    [
        change("0.1", "0.2"),
        change("passed", "failed", kind=DriftKind.BEHAVIOUR, field="tool_call"),
        change(None, "listed", kind=DriftKind.MODELS, field="models", model=None),
        change("1", "2", model="of nobody"),
    ],
)
def test_what_no_specification_states_blocks_none(event: DriftEvent) -> None:
    assert blocked(SERVED, with_small(context_tokens=1, price=None), [event]) == ()


def test_a_first_client_is_blocked_where_it_states_the_very_value() -> None:
    held = of_provider(DriftKind.BASE_URL, SERVED.base_url)
    assert blocked(None, SERVED, [held, of_provider(DriftKind.BASE_URL, "https://other.test"), LIMIT]) == (held,)
