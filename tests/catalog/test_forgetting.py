"""What is old goes, and never what something names."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelscan.catalog import discoveries, records
from modelscan.catalog.database import Database
from modelscan.catalog.forgetting import forget_discoveries, forget_records
from modelscan.catalog.migrate import migrate
from modelscan.types import Discovery, DiscoveryState, DiscoveryStep, Fact, SourceRecord

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=100)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(tmp_path / "catalogue.duckdb")
    migrate(made)
    return made


def record(number: int, days: int, source: str = "models.dev") -> SourceRecord:
    return SourceRecord.of(
        source=source,
        subject="acme",
        url="https://acme.example",
        payload={"number": number},
        trusted=True,
        fetched_at=NOW - timedelta(days=days),
    )


def kept(database: Database, *of: SourceRecord) -> list[bool]:
    return [records.get_record(database, one.id) is not None for one in of]


def test_an_answer_goes_once_it_is_old_superseded_and_named_by_nothing(database: Database) -> None:
    told = [record(1, 300), record(2, 200), record(3, 150), record(4, 20), record(5, 10)]
    alone = record(6, 300, "genai-prices")
    fact = Fact(subject="acme", field="name", value="Acme", record=told[0].id, confidence=0.9)
    records.save(database, [*told, alone], [fact])
    with database.write() as connection:
        connection.execute("INSERT INTO settings VALUES ('cites', ?)", [f"record:{told[1].id};"])
    assert forget_records(database, OLD, [told[2].id]) == 1
    assert kept(database, *told, alone) == [False, True, True, True, True, True]
    assert records.facts_of(database, "acme") == ()
    assert forget_records(database, OLD) == 1
    assert kept(database, *told, alone) == [False, True, False, True, True, True]


@pytest.mark.parametrize(
    ("state", "days", "version", "goes"),
    [
        (DiscoveryState.SUCCEEDED, 200, False, True),
        (DiscoveryState.FAILED, 200, False, True),
        (DiscoveryState.FAILED, 20, False, False),
        (DiscoveryState.SUCCEEDED, 200, True, False),
        (DiscoveryState.WAITING, 200, False, False),
        (DiscoveryState.RUNNING, 200, False, False),
        (DiscoveryState.QUEUED, 200, False, False),
    ],
)
def test_a_run_goes_once_it_is_old_and_ended_and_led_to_no_version(
    database: Database, state: DiscoveryState, days: int, version: bool, goes: bool
) -> None:
    at = NOW - timedelta(days=days)
    discoveries.create(database, Discovery(id="d1", identifier="acme/small", created_at=at))
    step = DiscoveryStep(seq=1, name="scrape", state="done", started_at=at)
    discoveries.update(database, "d1", [step], state=state)
    with database.write() as connection:
        connection.execute("INSERT INTO candidates VALUES ('d1', 'acme', '{}')")
        if version:
            connection.execute(
                "INSERT INTO providers (id, name, state, created_at) VALUES ('acme', 'Acme', 'active', now())"
            )
            connection.execute(
                "INSERT INTO sdk_versions (provider, version, digest, path, sha256, level, why_not_higher, active,"
                " published_at, discovery_id) VALUES ('acme', 1, '', '', '', 'live', '', true, now(), 'd1')"
            )
    assert forget_discoveries(database, OLD) == int(goes)
    assert (discoveries.recent(database) == ()) is goes
