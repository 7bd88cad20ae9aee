import pytest

from modelscan.drift.refresh import SourceShape, bad_refresh, source_event
from modelscan.settings import DriftSettings
from tests.drift.looks import AT, evidence


def shape(providers: int, models: int, **fields: int) -> SourceShape:
    return SourceShape(providers=providers, models=models, fields=fields)


GOOD = shape(100, 1000, cost=900, limit=1000, beta=3)


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (GOOD, None),
        (shape(50, 500, cost=450, limit=500), None),
        (shape(300, 3000, cost=2700, limit=3000), None),
        (shape(100, 0), "it is empty"),
        (shape(49, 1000, cost=900, limit=1000), "it shrank from 100 to 49 providers"),
        (shape(100, 499, cost=449, limit=499), "it shrank from 1000 to 499 models"),
        (
            shape(100, 1000, cost=449, limit=1000),
            "its schema changed: 449 of 1000 models have 'cost', where 900 of 1000 had",
        ),
        (shape(9, 9, price=9), "it shrank from 100 to 9 providers"),
        (
            shape(100, 1000, price=1000, limit=1000),
            "its schema changed: 0 of 1000 models have 'cost', where 900 of 1000 had",
        ),
    ],
)
def test_an_answer_that_is_empty_shrank_or_has_another_shape_is_bad(after: SourceShape, why: str | None) -> None:
    assert bad_refresh(GOOD, after, DriftSettings()) == why


def test_the_first_answer_is_bad_only_where_it_is_empty() -> None:
    assert bad_refresh(None, shape(1, 1), DriftSettings()) is None
    assert bad_refresh(None, shape(1, 0), DriftSettings()) == "it is empty"


def test_a_list_of_a_few_may_change_as_it_likes() -> None:
    assert bad_refresh(shape(3, 3, cost=3), shape(1, 1), DriftSettings()) is None


def test_the_thresholds_are_the_operators() -> None:
    strict = DriftSettings(most_lost=0.1, most_fields_lost=0.01)
    assert bad_refresh(GOOD, shape(89, 1000, cost=900, limit=1000), strict) == "it shrank from 100 to 89 providers"
    assert bad_refresh(GOOD, shape(100, 1000, cost=880, limit=1000), strict)
    lax = DriftSettings(most_lost=1, most_fields_lost=1)
    assert bad_refresh(GOOD, shape(1, 1), lax) is None


def test_a_shape_is_counted_from_the_rows_as_they_are_spelt() -> None:
    found = SourceShape.of({"acme": [{"id": "a", "cost": 1}, {"id": "b"}], "bolt": []})
    assert found == shape(2, 2, id=2, cost=1)
    assert str(found) == "2 providers, 2 models"


def test_a_bad_refresh_is_one_change_however_often_it_is_fetched() -> None:
    def event(record: str) -> tuple[str, str | None, str | None]:
        found = source_event(
            "models.dev", GOOD, shape(1, 0), "it is empty", evidence=(evidence(record),), found_at=AT, run_id="run"
        )
        return found.subject, found.before, found.after

    assert (
        event("r1") == event("r2") == ("models.dev", "100 providers, 1000 models", "1 providers, 0 models: it is empty")
    )
