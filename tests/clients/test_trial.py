"""A version on trial is rolled back for failing clearly more often, and promoted for having been tried enough."""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.catalog import canaries, usage, versions
from modelscan.catalog.database import Database
from modelscan.catalog.history import history
from modelscan.clients import activation
from modelscan.clients.trial import judge, told, verdict
from modelscan.settings import Settings
from modelscan.types import Arm, Canary, CanaryCounts, CanaryTerms, utc_now
from tests.router_app.routers import a_spec, publish

TERMS = CanaryTerms(share=0.1, margin=0.05, requests=50, minutes=10)


def seen(errors: int, requests: int, base_errors: int = 0, base_requests: int = 0) -> CanaryCounts:
    return CanaryCounts(
        canary=Arm(requests=requests, errors=errors), base=Arm(requests=base_requests, errors=base_errors)
    )


@pytest.mark.parametrize(
    ("counts", "minutes", "expected"),
    [
        (seen(0, 0), 60, None),
        (seen(0, 49, 0, 450), 60, None),
        (seen(0, 50, 0, 450), 9, None),
        (seen(0, 50, 0, 450), 10, "promote"),
        (seen(2, 50, 0, 450), 10, "promote"),
        (seen(2, 2, 0, 20), 0, None),
        (seen(3, 3, 0, 20), 0, "roll back"),
        (seen(3, 3), 0, "roll back"),
        (seen(3, 50, 0, 450), 10, "roll back"),
        (seen(3, 50, 20, 450), 10, "promote"),
        (seen(6, 50, 22, 450), 10, None),
        (seen(40, 50, 360, 450), 10, "promote"),
        (seen(50, 50, 450, 450), 10, "promote"),
    ],
)
def test_the_verdict(counts: CanaryCounts, minutes: float, expected: str | None) -> None:
    assert verdict(TERMS, counts, minutes) == expected


arms = st.integers(0, 500).flatmap(lambda requests: st.tuples(st.integers(0, requests), st.just(requests)))


@given(arms, arms, st.floats(0, 100))
def test_who_is_not_worse_is_not_rolled_back_and_who_is_worse_not_promoted(
    canary: tuple[int, int], base: tuple[int, int], minutes: float
) -> None:
    counts = seen(*canary, *base)
    found = verdict(TERMS, counts, minutes)
    if counts.canary.rate <= counts.base.rate:
        assert found != "roll back"
    if counts.canary.rate > counts.base.rate + TERMS.margin:
        assert found != "promote"


def on_trial(settings: Settings, **more: float) -> tuple[Database, Canary]:
    for model in ("one", "two"):
        publish(settings, a_spec("https://api.example/v1", "acme", (model,)))
    database = Database(settings.database_path)
    activation.roll_back(database, settings.generation.path, "acme", actor="operator")
    terms = CanaryTerms.model_validate({**TERMS.model_dump(), **more})
    return database, activation.try_out(database, "acme", 2, terms, actor="operator")


def used(settings: Settings, *rows: Mapping[str, object]) -> None:
    """Usage rows, as a router's journal has them."""
    whole = {"asked_model": "m", "provider": "acme", "stream": False, "cancelled": False, "latency_ms": 1.0}
    lines = [
        {**whole, "request_id": f"r{number}", "at": utc_now().isoformat(), "generation": 1, "status": 200, **row}
        for number, row in enumerate(rows)
    ]
    file = settings.data_dir / "rows.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    usage.ingest(Database(settings.database_path), file)


def test_a_request_counts_for_the_version_that_was_asked_first(settings: Settings) -> None:
    database, canary = on_trial(settings)
    used(
        settings,
        {"sdk_version": 2},
        {"sdk_version": 2, "status": 502},
        {"sdk_version": 1, "failed_version": 2},
        {"sdk_version": 1, "failed_version": 2, "status": 429},
        {"sdk_version": 1},
        {"sdk_version": 1, "status": 500},
        {"sdk_version": 1, "status": 429},
        {"sdk_version": 2, "status": 429},
        {"sdk_version": 1, "status": 499, "cancelled": True},
        {"status": 503},
        {"sdk_version": 1, "provider": "other", "status": 500},
        {"sdk_version": 1, "status": 500, "at": (canary.started_at - timedelta(seconds=1)).isoformat()},
    )
    assert canaries.counts(database, [canary]) == (seen(3, 4, 1, 2),)


def test_who_fails_is_rolled_back_with_what_was_seen(settings: Settings) -> None:
    database, canary = on_trial(settings)
    failed: dict[str, object] = {"sdk_version": 1, "failed_version": 2}
    used(settings, *[failed] * 3, *[{"sdk_version": 1}] * 20)
    (judged,) = judge(database, settings.generation.path, utc_now())
    assert judged.ended
    assert (judged.ended.kind, judged.ended.actor, judged.ended.counts) == (
        "canary-rolled-back",
        "canary",
        seen(3, 3, 0, 20),
    )
    assert "3 of 3 requests failed (100.0%)" in judged.ended.why
    assert history(database, "acme")[0] == judged.ended
    assert versions.active_of(database, "acme").version == 1
    assert judge(database, settings.generation.path, utc_now()) == ()
    assert versions.was_rolled_back(database, "acme", 2)
    assert told(canary)["version"] == 2


def test_who_does_well_is_promoted(settings: Settings) -> None:
    database, canary = on_trial(settings, requests=3)
    used(settings, *[{"sdk_version": 2}] * 3)
    assert judge(database, settings.generation.path, canary.started_at + timedelta(minutes=9))[0].ended is None
    (judged,) = judge(database, settings.generation.path, canary.started_at + timedelta(minutes=11))
    assert judged.ended
    assert (judged.ended.kind, judged.ended.before, judged.ended.version) == ("canary-promoted", 1, 2)
    assert versions.active_of(database, "acme").version == 2
    assert activation.before_active(history(database, "acme")) == (1,)


def test_a_version_that_cannot_be_promoted_is_tried_no_longer(settings: Settings) -> None:
    database, canary = on_trial(settings, requests=1)
    used(settings, {"sdk_version": 2})
    with database.write() as connection:
        connection.execute("DELETE FROM sdk_sources WHERE version = 2")
    (judged,) = judge(database, settings.generation.path, canary.started_at + timedelta(minutes=11))
    assert judged.ended
    assert judged.ended.kind == "canary-stopped"
    assert "not kept whole" in judged.ended.why
