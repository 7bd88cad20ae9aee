"""Providers, versions, records, facts, discoveries and keys, as they are written and read again."""

import hashlib
from datetime import timedelta
from decimal import Decimal

import pytest

from modelscan.catalog import discoveries, keys, providers, records, versions
from modelscan.catalog.connection import ConstraintBroken
from modelscan.catalog.database import Database
from modelscan.catalog.options import get_option, set_option
from modelscan.errors import DiscoveryNotFound, KeyLimitReached
from modelscan.types import (
    ApiKey,
    Attempt,
    Discovery,
    DiscoveryState,
    DiscoveryStep,
    Fact,
    Level,
    Model,
    Price,
    SourceGap,
    utc_now,
)
from tests.catalog.samples import record, report, spec


def publish(database: Database, *models: Model, sha256: str = "a", level: Level = Level.CONTRACT) -> int:
    published = spec(*models)
    return versions.publish(database, published, path="acme.py", sha256=sha256, report=report(level)).version


def test_a_publication_is_a_provider_its_models_and_a_version(database: Database) -> None:
    publish(database)
    (provider,) = providers.all_providers(database)
    assert (provider.id, provider.state, provider.model_count, provider.version) == ("acme", "active", 2, 1)
    assert providers.known_ids(database) == ("acme",)
    found = dict(providers.models_of(database))["acme"]
    assert found == Model(id="tiny")
    assert providers.models_of(database, "acme")[0][1].price == Price(input_mtok=Decimal("0.0028"))
    assert versions.generation(database) == 1


def test_the_same_file_again_is_the_same_version_in_a_new_generation(database: Database) -> None:
    assert [publish(database), publish(database, level=Level.LIVE), publish(database, sha256="b")] == [1, 1, 2]
    generation, (active,), _ = versions.snapshot(database)
    assert (generation, active.version, active.sha256) == (3, 2, "b")
    assert versions.active(database) == (active,)
    assert [one.version for one in versions.all_versions(database, "acme")] == [2, 1]


def test_models_that_are_gone_are_gone(database: Database) -> None:
    publish(database)
    publish(database, Model(id="tiny", family="t"), sha256="b")
    assert [model.id for _, model in providers.models_of(database)] == ["tiny"]
    with database.read() as connection:
        assert connection.execute("SELECT name FROM model_families").fetchall() == [("t",)]


def test_foreign_keys_are_enforced(database: Database) -> None:
    with pytest.raises(ConstraintBroken), database.write() as connection:
        connection.execute("INSERT INTO model_families VALUES ('nobody', 'x')")


def test_a_candidate_is_listed_without_a_version(database: Database) -> None:
    providers.add_candidate(database, "acme")
    providers.add_candidate(database, "acme", "Acme again")
    (provider,) = providers.all_providers(database)
    assert (provider.name, provider.state, provider.level) == ("acme", "candidate", None)


def test_a_record_seen_again_only_moves_its_time(database: Database) -> None:
    earlier = utc_now() - timedelta(days=1)
    records.save(database, [record(fetched_at=earlier, sha256="0")])
    records.save(database, [record(sha256="1"), record(fetched_at=earlier, sha256="1")])
    found = records.get_record(database, record().id)
    assert found is not None
    assert found.fetched_at > earlier
    assert found.sha256 == "1"
    assert found.payload == {"name": "Acme"}


def test_the_latest_record_is_young_and_no_snapshot_where_that_is_asked(database: Database) -> None:
    day = timedelta(days=1)
    records.save(database, [record({"n": 1}, fetched_at=utc_now() - 2 * day), record({"n": 2}, stale=True)])
    newest = records.latest(database, "models.dev", "acme")
    assert newest is not None
    assert newest.stale
    assert records.latest(database, "models.dev", "acme", since=utc_now() - day) is None
    young = records.latest(database, "models.dev", "acme", since=utc_now() - 3 * day)
    assert young is not None
    assert young.payload == {"n": 1}
    assert records.latest(database, "models.dev", "acme", url="https://elsewhere.test") is None


def test_facts_are_kept_once(database: Database) -> None:
    records.save(database, [record()])
    fact = Fact(subject="acme/small", field="price.input_mtok", value="0.5", record=record().id, confidence=0.9)
    records.save(database, [], [fact, fact])
    records.save(database, [], [fact])
    records.save(database, [], [])
    assert records.facts_of(database, "acme") == (fact,)
    assert records.facts_of(database, "acme/small") == (fact,)
    assert records.facts_of(database, "acm") == ()


def test_a_discovery_is_followed_step_by_step(database: Database) -> None:
    discoveries.create(database, Discovery(id="d", identifier="acme/small", created_at=utc_now()))
    first = DiscoveryStep(seq=1, name="scrape models.dev", state="running", started_at=utc_now())
    second = DiscoveryStep(seq=2, name="validate", state="running", detail="7 cases", started_at=utc_now())
    assert discoveries.update(database, "d", [first]).steps == (first,)
    ended = first.model_copy(update={"state": "cached", "detail": "record \ud800", "ended_at": utc_now()})
    attempt = Attempt(number=1, proposal="p", spec_digest="x", report=report())
    run = discoveries.update(database, "d", [second, ended], attempts=(attempt,))
    assert run == discoveries.get(database, "d")
    assert run.steps == (ended.model_copy(update={"detail": "record \ufffd"}), second)
    assert run.attempts == (attempt,)


def test_an_ended_discovery_is_no_longer_unfinished(database: Database) -> None:
    for number, state in enumerate((DiscoveryState.QUEUED, DiscoveryState.RUNNING)):
        at = utc_now() + timedelta(seconds=number)
        discoveries.create(database, Discovery(id=str(number), identifier="a", created_at=at, state=state))
    assert [run.id for run in discoveries.unfinished(database)] == ["0", "1"]
    assert [run.id for run in discoveries.recent(database, 1)] == ["1"]
    gap = SourceGap(source="s", kind="unknown", reason="r")
    discoveries.update(database, "0", state=DiscoveryState.SUCCEEDED, gaps=(gap,), level=Level.LIVE)
    assert [run.id for run in discoveries.unfinished(database)] == ["1"]
    assert discoveries.get(database, "0").gaps == (gap,)


def test_an_unknown_discovery_is_an_error_that_says_so(database: Database) -> None:
    with pytest.raises(DiscoveryNotFound, match="no discovery 'x'"):
        discoveries.get(database, "x")


def key(text: str) -> ApiKey:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return ApiKey(id=sha256[:16], provider="acme", prefix="sk", sha256=sha256, origin="api", created_at=utc_now())


def test_a_key_is_stored_once_and_can_be_disabled(database: Database) -> None:
    stored = keys.insert(database, key("one"), b"sealed")
    disabled = keys.change(database, stored, state="disabled", disabled_for="operator")
    assert disabled == stored.model_copy(update={"state": "disabled", "disabled_for": "operator"})
    assert keys.sealed(database) == ()
    assert keys.insert(database, key("one"), b"sealed again").created_at == stored.created_at
    assert [(one.state, sealed) for one, sealed in keys.sealed(database)] == [("active", b"sealed again")]
    assert keys.list_keys(database, "other") == ()
    assert keys.list_keys(database) == keys.list_keys(database, "acme")


def test_the_101st_key_is_refused(database: Database) -> None:
    for number in range(keys.MAX_KEYS):
        keys.insert(database, key(str(number)), b"")
    with pytest.raises(KeyLimitReached, match="100 keys"):
        keys.insert(database, key("one more"), b"")


def test_options_are_values_by_key(database: Database) -> None:
    with database.write() as connection:
        assert get_option(connection, "a", "default") == "default"
        set_option(connection, "a", "1")
        set_option(connection, "a", "2")
        assert get_option(connection, "a") == "2"
