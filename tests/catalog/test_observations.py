from datetime import timedelta

import pytest

from modelscan.catalog import discoveries, observations, providers, records, versions
from modelscan.catalog.database import Database
from modelscan.types import Discovery, Fact, Look, utc_now
from tests.catalog.samples import record, report, spec
from tests.drift.looks import look as state
from tests.rediscovery.listed import AT


def a_look(provider: str = "acme", *, run_id: str = "r", pending: bool = False) -> Look:
    return Look(
        provider=provider,
        inputs="digest",
        sources=("genai-prices", "models.dev"),
        state=state(provider=provider),
        observed_at=AT,
        run_id=run_id,
        pending=pending,
    )


def keep(database: Database, *looks: Look) -> None:
    with database.write() as connection:
        observations.save_looks(connection, looks)


def test_what_was_seen_is_read_as_it_was_written(database: Database) -> None:
    keep(database, a_look(), a_look("other", pending=True))
    keep(database)
    assert observations.looks(database, ["acme", "nobody"]) == {"acme": a_look()}
    changed = a_look().model_copy(update={"inputs": "another", "run_id": "r2", "sources": ("provider",)})
    keep(database, changed)
    assert observations.looks(database, ["acme"]) == {"acme": changed}
    with database.write() as connection:
        observations.forget(connection, ["acme"])
    assert list(observations.looks(database, ["acme", "other"])) == ["other"]


def test_a_run_that_was_interrupted_is_gone_on_with(database: Database) -> None:
    first, resumed = observations.begin(database)
    assert (first.first, resumed) == (True, False)
    keep(database, a_look(run_id=first.id), a_look("other"))
    again, resumed = observations.begin(database)
    assert (again, resumed) == (first, True)
    assert observations.observed(database, again) == {"acme": True, "other": False}


def test_a_run_that_ended_is_followed_by_another_that_knows_whom_it_heard(database: Database) -> None:
    first, _ = observations.begin(database)
    keep(database, a_look(run_id=first.id))
    observations.end(database, first)
    second, resumed = observations.begin(database)
    assert (second.id != first.id, resumed) == (True, False)
    assert (second.first, second.heard) == (False, ("genai-prices", "models.dev"))
    assert observations.observed(database, second) == {"acme": False}


def test_a_run_of_yesterday_is_not_gone_on_with(database: Database) -> None:
    first, _ = observations.begin(database, utc_now() - timedelta(days=1))
    second, resumed = observations.begin(database)
    assert (second.id != first.id, resumed) == (True, False)
    third, resumed = observations.begin(database)
    assert (third, resumed) == (second, True)


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:9/v1"])
def test_who_is_served_is_known_by_what_the_operator_typed(database: Database, base_url: str | None) -> None:
    asked = Discovery(id="d1", identifier="acme/small", base_url=base_url, created_at=utc_now())
    discoveries.create(database, asked)
    versions.publish(database, spec(), path="acme.py", sha256="0" * 64, report=report(), discovery_id="d1")
    versions.publish(database, spec(provider="other"), path="other.py", sha256="1" * 64, report=report())
    found = observations.published(database)
    assert (found["acme"].identifier, found["acme"].base_url) == ("acme/small", base_url)
    assert (found["other"].identifier, found["other"].base_url) == ("other", None)


def test_the_catalogue_knows_who_has_a_row_or_facts(database: Database) -> None:
    told = record(subject="told")
    records.save(
        database, [told], [Fact(subject="told/small", field="context_tokens", value=1, record=told.id, confidence=1)]
    )
    providers.add_candidate(database, "keyed")
    with database.read() as connection:
        found = observations.known_to_the_catalogue(connection, ["told", "keyed", "nobody"])
    assert found == {"told", "keyed"}
