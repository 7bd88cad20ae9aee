from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelscan.catalog import prices, reprice, rollups
from modelscan.catalog.database import Database
from modelscan.catalog.reprice import apply, audits, preview
from modelscan.catalog.stats import stats
from modelscan.types import Media, PriceVersion, RepriceScope, StatsQuery, Tariff, Usage
from tests.catalog.usage_rows import an_event, take_in
from tests.catalogues import migrate
from tests.usage.pricing import tariffs, usages

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ALL = RepriceScope()
THEN = RepriceScope(prices="then")
_INSERT = """
INSERT INTO usage_tracking (
    request_id, "at", asked_model, provider, model, status, stream, cancelled, prompt_tokens, completion_tokens,
    cached_tokens, cache_write_tokens, reasoning_tokens, input_audio_tokens, output_audio_tokens, input_image_tokens,
    output_image_tokens, latency_ms, generation, cost_usd, price_id
) VALUES (?, ?, 'x', 'acme', ?, 200, false, false, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 1, ?, ?)
"""


def used(
    database: Database, *usages: Usage, cost: str | None = None, model: str = "anvil", at: datetime = NOON
) -> None:
    """A usage row each."""
    with database.write() as connection:
        ((before,),) = connection.execute("SELECT count(*) FROM usage_tracking").fetchall()
        for number, usage in enumerate(usages, before):
            media = usage.media or [None] * 4
            connection.execute(_INSERT, [f"r{number}", at, model, *usage[:5], *media, cost, cost and "old"])


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return connection.execute("SELECT cost_usd, price_id FROM usage_tracking ORDER BY request_id").fetchall()


def priced(database: Database, model: str = "anvil", **rates: Any) -> PriceVersion:
    """From now on it costs that."""
    return taken_up(database, Tariff(**rates), model)


def taken_up(database: Database, tariff: Tariff, model: str = "anvil") -> PriceVersion:
    prices.renew(database, "acme", lambda *_, **__: {model: (tariff, {})}, model=model)
    return next(one for one in prices.newest(database, "acme") if one.model == model)


def test_what_a_correction_changes_is_shown_by_model_before_anything_is_changed(database: Database) -> None:
    version = priced(database, input_mtok=1, output_mtok=2)
    used(database, Usage(1_000_000, 0), cost="3")
    used(database, Usage(0, 1_000_000), cost="2")
    used(database, Usage(500_000, 0))
    found = preview(database, ALL)
    assert (found.rows, found.became_known, found.unknown, found.audit) == (2, 1, 0, None)
    assert (found.before_usd, found.after_usd) == (Decimal(3), Decimal("1.5"))
    assert found.difference_usd == Decimal("-1.5")
    (model,) = found.models
    assert (model.provider, model.model, model.rows, model.prices) == ("acme", "anvil", 2, (version.id,))
    assert str(model.after_usd) == "1.5"
    assert [cost for cost, _ in rows(database)] == [3, 2, None]
    assert audits(database) == ()


def test_what_is_applied_is_what_was_shown_with_an_audit_row_and_once(database: Database) -> None:
    version = priced(database, input_mtok=1, output_mtok=2)
    used(database, Usage(1_000_000, 0), cost="3")
    shown = preview(database, ALL)
    done = apply(database, ALL, "ada")
    assert done == shown.model_copy(update={"audit": done.audit})
    assert rows(database) == [(1, version.id)]
    (audit,) = audits(database)
    assert (audit.id, audit.by, audit.done) == (done.audit, "ada", done)
    again = apply(database, ALL, "ada")
    assert (again.rows, again.audit, len(audits(database))) == (0, None, 1)


def test_the_last_audit_comes_first(database: Database) -> None:
    used(database, Usage(1_000_000, 0))
    for rate in (1, 2):
        priced(database, input_mtok=rate, output_mtok=2)
        apply(database, ALL, f"by {rate}")
    assert [one.by for one in audits(database)] == ["by 2", "by 1"]


def test_what_is_known_never_becomes_unknown(database: Database) -> None:
    priced(database, input_mtok=1, output_mtok=2)
    priced(database, input_mtok=1)
    used(database, Usage(1, 1), cost="3")
    used(database, Usage(1, 1), Usage(None, 1), Usage(1, None))
    found = apply(database, ALL, "ada")
    assert (found.rows, found.unknown) == (0, 3)
    assert [cost for cost, _ in rows(database)] == [3, None, None, None]


@pytest.mark.parametrize(
    ("scope", "changed"),
    [
        ({}, 4),
        ({"provider": "acme"}, 4),
        ({"provider": "other"}, 0),
        ({"model": "anvil"}, 3),
        ({"provider": "acme", "model": "rocket"}, 1),
        ({"since": NOON}, 3),
        ({"until": NOON}, 1),
        ({"since": NOON + timedelta(hours=1)}, 1),
        ({"since": NOON, "until": NOON + timedelta(hours=1), "model": "anvil"}, 1),
    ],
)
def test_only_the_rows_that_are_asked_for_change(database: Database, scope: dict[str, Any], changed: int) -> None:
    for model in ("anvil", "rocket"):
        priced(database, model, input_mtok=1, output_mtok=2)
        used(database, Usage(1, 1), model=model)
    for hours in (-1, 1):
        used(database, Usage(1, 1), at=NOON + timedelta(hours=hours))
    assert preview(database, RepriceScope(**scope)).rows == changed
    assert apply(database, RepriceScope(**scope), "ada").rows == changed
    assert sum(cost is not None for cost, _ in rows(database)) == changed


def test_each_row_may_be_priced_as_of_its_own_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for days, rate in ((0, 1), (1, 2), (2, 3)):
        monkeypatch.setattr(prices, "utc_now", lambda days=days: NOON + timedelta(days=days))
        made.append(priced(database, input_mtok=rate, output_mtok=0))
    for days in (-1, 0, 1, 2, 9):
        used(database, Usage(1_000_000, 0), at=NOON + timedelta(days=days))
    apply(database, THEN, "ada")
    assert rows(database) == [(1, made[0].id), (1, made[0].id), (2, made[1].id), (3, made[2].id), (3, made[2].id)]
    assert apply(database, ALL, "ada").rows == 3
    assert {cost for cost, _ in rows(database)} == {3}
    apply(database, THEN, "ada")
    assert [cost for cost, _ in rows(database)] == [1, 1, 2, 3, 3]


def test_a_row_with_sound_of_before_its_tokens_were_told_apart_stays_unknown(database: Database) -> None:
    version = priced(database, input_mtok=1, output_mtok=2, input_audio_mtok=40)
    used(database, Usage(9, 1))
    with database.write() as connection:
        connection.execute("UPDATE usage_tracking SET price_id = ?", [version.id])
    assert (preview(database, ALL).rows, preview(database, ALL).unknown) == (0, 1)


def test_a_row_with_sound_is_reckoned_once_its_price_is_known(database: Database) -> None:
    used(database, Usage(9, 1, media=Media(4)), Usage(9, 1, cached=1, media=Media(4)))
    version = priced(database, input_mtok=1, output_mtok=2, cache_read_mtok=1, input_audio_mtok=40)
    assert apply(database, ALL, "ada").unknown == 1
    assert rows(database) == [(Decimal("0.000167"), version.id), (None, None)]


def test_where_nothing_was_used_or_priced_there_is_nothing_to_do(database: Database) -> None:
    assert preview(database, ALL).models == ()
    used(database, Usage(1, 1))
    assert apply(database, ALL, "ada").unknown == 1


def test_a_reprice_that_fails_changes_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    priced(database, input_mtok=1, output_mtok=2)
    used(database, Usage(1, 1))

    def fails(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(reprice, "_noted", fails)
    with pytest.raises(RuntimeError):
        apply(database, ALL, "ada")
    assert rows(database) == [(None, None)]
    assert preview(database, ALL).rows == 1


def test_the_sums_by_hour_and_day_follow_and_those_of_rows_that_are_gone_stay(database: Database) -> None:
    priced(database, input_mtok=1, output_mtok=2)
    used_tokens = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
    old, new = NOON - timedelta(days=40), NOON
    take_in(database, an_event(old, cost_usd=Decimal(7), **used_tokens), an_event(new, **used_tokens))
    rollups.roll(database)
    rollups.forget(database, NOON, rows=30, hours=60, days=90)
    take_in(database, an_event(new, **used_tokens))
    assert _sums(database) == [(7, 2)]
    apply(database, ALL, "ada")
    assert _sums(database) == [(9, 0)]
    rollups.roll(database)
    assert _sums(database) == [(9, 0)]


def _sums(database: Database) -> list[tuple[object, int]]:
    return [(one.cost_usd, one.cost_unknown) for one in stats(database, StatsQuery(by=("model",)))]


@pytest.mark.no_cover
@settings(max_examples=25, deadline=None)
@given(tariffs(), st.lists(st.tuples(usages(), st.booleans()), min_size=1, max_size=12))
def test_the_catalogue_reckons_as_the_router_does(tariff: Tariff, told: Iterable[tuple[Usage, bool]]) -> None:
    counted = [usage._replace(completion=None, reasoning=None) if half else usage for usage, half in told]
    with TemporaryDirectory() as folder:
        database = Database(Path(folder) / "catalogue.duckdb")
        migrate(database)
        taken_up(database, Tariff(input_mtok=9, output_mtok=9))
        version = taken_up(database, tariff)
        used(database, *counted)
        apply(database, ALL, "ada")
        with database.read() as connection:
            found = connection.execute("SELECT cost_usd FROM usage_tracking ORDER BY rowid").fetchall()
    assert [cost for (cost,) in found] == [version.cost(usage) for usage in counted]
