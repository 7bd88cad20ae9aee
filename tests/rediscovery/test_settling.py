"""What was found is taken up whole or not at all, and what is held keeps a client from being proved anew."""

from typing import Any

import pytest

from modelscan.catalog import discoveries, drift, observations, prices, providers, records, versions
from modelscan.catalog.database import Database
from modelscan.drift.policy import by_policy
from modelscan.rediscovery.looking import Looked, listed_records, look
from modelscan.rediscovery.settling import Settled, settle
from modelscan.settings import DriftSettings
from modelscan.types import Decision, Discovery, DiscoveryState, DriftState, utc_now
from tests.catalog.conftest import database
from tests.catalog.samples import report, spec
from tests.rediscovery.listed import RUN, lists, model, models_dev, provider

__all__ = ["database"]

OLD = provider("acme", model("small", input=0.5))
DEARER = provider("acme", model("small", input=0.6))
MORE = provider("acme", model("small", input=0.6), model("fresh"))
MOVED = {**MORE, "api": "https://elsewhere.example/v1"}


def looked_at(database: Database, row: Any, **more: Any) -> Looked:
    before = observations.looks(database, ["acme"]).get("acme")
    read = lists(models_dev(row) if row else {"other": provider("other")}, at=utc_now())
    return look("acme", listed_records("acme", read.values()), RUN, before, lists=read, **more)


def settled(database: Database, row: Any, *decided: Decision, drifting: DriftSettings | None = None) -> Settled:
    """One look, told by policy and taken up."""
    looked = looked_at(database, row)
    told = drift.record(database, by_policy(looked.events, drifting or DriftSettings()))
    (one,) = settle(database, [looked], told, observations.published(database), decided)
    return one


def publish(database: Database, base_url: str | None = None) -> None:
    asked = Discovery(
        id="d1", identifier="acme/small", base_url=base_url, created_at=utc_now(), state=DiscoveryState.SUCCEEDED
    )
    discoveries.create(database, asked)
    versions.publish(database, spec(), path="acme.py", sha256="0" * 64, report=report(), discovery_id="d1")


def queued(database: Database) -> list[tuple[str, str | None]]:
    return [(one.identifier, one.base_url) for one in discoveries.unfinished(database)]


def priced(database: Database) -> dict[str, str]:
    return {one.model: str(one.tariff.input_mtok) for one in prices.newest(database, "acme")}


def test_of_whom_the_catalogue_knows_nothing_only_the_record_is_kept(database: Database) -> None:
    settled(database, OLD)
    one = settled(database, MORE)
    assert (len(one.events), one.prices, one.discovery) == (2, 0, None)
    assert records.latest(database, "models.dev", "acme")
    assert records.facts_of(database, "acme") == ()
    assert priced(database) == {}


def test_a_new_price_counts_at_once_also_of_whom_is_not_served(database: Database) -> None:
    providers.add_candidate(database, "acme")
    assert settled(database, OLD).prices == 1
    assert settled(database, DEARER).prices == 1
    assert priced(database) == {"small": "0.6"}
    assert settled(database, DEARER).prices == 0


def test_a_price_alone_has_no_client_proved_anew_and_a_model_has(database: Database) -> None:
    publish(database)
    assert settled(database, OLD).discovery is None
    assert settled(database, DEARER).discovery is None
    one = settled(database, MORE)
    assert one.discovery == discoveries.unfinished(database)[0].id
    assert queued(database) == [("acme/small", None)]


def test_what_is_under_way_is_not_queued_twice(database: Database) -> None:
    publish(database, "http://127.0.0.1:9/v1")
    settled(database, OLD)
    first = settled(database, MORE).discovery
    assert settled(database, DEARER).discovery == first
    assert queued(database) == [("acme/small", "http://127.0.0.1:9/v1")]


def test_a_held_change_keeps_it_from_being_proved_anew_until_it_is_approved(database: Database) -> None:
    publish(database)
    settled(database, OLD)
    one = settled(database, MOVED)
    assert [event.field for event in one.waits] == ["base_url"]
    assert (queued(database), priced(database)) == ([], {"small": "0.6", "fresh": "0.5"})
    again = settled(database, MOVED)
    assert [(event.id, event.state) for event in again.events] == [(one.waits[0].id, DriftState.HELD)]
    drift.judge(database, one.waits[0].id, approved=True)
    assert settled(database, MOVED).discovery
    assert (queued(database), settled(database, MOVED).events) == ([("acme/small", None)], ())


def test_a_rejected_change_goes_on_being_in_the_way_but_for_a_pin(database: Database) -> None:
    publish(database)
    settled(database, OLD)
    drift.judge(database, settled(database, {**OLD, "api": MOVED["api"]}).waits[0].id, approved=False)
    one = settled(database, MOVED)
    assert {event.field: event.state for event in one.events} == {
        "base_url": DriftState.REJECTED,
        "models": DriftState.APPLIED,
        "price.input_mtok": DriftState.APPLIED,
    }
    assert (one.discovery, len(one.waits)) == (None, 1)
    pin = Decision.of("pin", "acme", "base_url", value=OLD["api"])
    more = {**MOVED, "models": {**MOVED["models"], "third": model("third")}}
    assert settled(database, more, pin).discovery


def test_a_held_price_is_no_version(database: Database) -> None:
    publish(database)
    hold = DriftSettings(price="hold")
    settled(database, OLD)
    one = settled(database, DEARER, drifting=hold)
    assert (one.prices, priced(database)) == (0, {"small": "0.5"})
    drift.judge(database, one.events[0].id, approved=True)
    assert settled(database, DEARER, drifting=hold).prices == 1


def test_who_is_gone_is_forgotten_and_told_once(database: Database) -> None:
    settled(database, OLD)
    assert [event.after for event in settled(database, None).events] == [None]
    assert observations.looks(database, ["acme"]) == {}
    assert settled(database, None).events == ()


def test_what_did_not_change_is_of_now(database: Database) -> None:
    settled(database, OLD)
    (before,) = observations.looks(database, ["acme"]).values()
    assert settled(database, OLD).looked.outcome == "unchanged"
    (after,) = observations.looks(database, ["acme"]).values()
    assert after.observed_at > before.observed_at


def test_a_batch_is_taken_up_whole_or_not_at_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = looked_at(database, OLD)
    monkeypatch.setattr(observations, "save_looks", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        settle(database, [looked], (), {})
    assert records.latest(database, "models.dev", "acme") is None
