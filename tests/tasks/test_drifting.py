import asyncio
from dataclasses import replace
from typing import Any

from modelscan.catalog import drift, drift_outbox
from modelscan.drift.comparing import differences
from modelscan.drift.refresh import SourceShape, source_event
from modelscan.settings import DriftSettings
from modelscan.types import DriftKind, DriftState
from tasks.bench import Bench
from tasks.drifting import tell
from tests.drift.looks import AT, change, evidence, look

URL = change("a", "b", kind=DriftKind.BASE_URL, field="base_url", model=None)


class Emitted(list[dict[str, Any]]):
    def __call__(self, **event: Any) -> None:
        self.append(event)


def told(bench: Bench, *events: Any, **more: Any) -> tuple[Emitted, list[DriftState]]:
    emitted = Emitted()
    found = asyncio.run(tell(bench, events, emit=emitted, **more))
    return emitted, [one.state for one in found]


def test_what_is_found_is_stored_by_policy_and_emitted_for_its_provider(bench: Bench) -> None:
    emitted, states = told(bench, change(), change(model="tiny"), URL)
    assert states == [DriftState.APPLIED, DriftState.APPLIED, DriftState.HELD]
    assert [(one["event"], len(one["payload"]["changes"])) for one in emitted] == [
        ("modelscan.drift.base_url", 1),
        ("modelscan.drift.price", 2),
    ]
    assert emitted[0]["resource"] == {
        "prefect.resource.id": "modelscan.provider.acme",
        "prefect.resource.name": "acme",
        "modelscan.drift.kind": "base_url",
        "modelscan.drift.state": "held",
    }
    assert len(drift.list_events(bench.database)) == 3
    assert drift_outbox.counts(bench.database) == {}


def test_what_is_known_already_is_not_emitted_again(bench: Bench) -> None:
    told(bench, URL)
    emitted, states = told(bench, URL)
    assert (emitted, states) == ([], [DriftState.HELD])


def test_a_bad_refresh_is_emitted_for_its_source(bench: Bench) -> None:
    bad = source_event(
        "models.dev", None, SourceShape(providers=0, models=0), "it is empty", evidence=(evidence(),), found_at=AT
    )
    emitted, states = told(bench, bad)
    assert states == [DriftState.HELD]
    assert emitted[0]["event"] == "modelscan.drift.source"
    assert emitted[0]["resource"]["prefect.resource.id"] == "modelscan.source.models.dev"


def test_where_there_is_a_webhook_its_letters_are_written_with_the_changes(bench: Bench) -> None:
    url = DriftSettings(webhook_url="https://ops.example.test/hook")
    hooked = replace(bench, settings=bench.settings.model_copy(update={"drift": url}))
    told(hooked, URL, change())
    assert drift_outbox.counts(bench.database) == {"waiting": 2}


def test_what_is_held_and_said_no_more_is_withdrawn(bench: Bench) -> None:
    before, after = look("r1"), look("r2", base_url="https://b.test")
    told(bench, *differences(before, after), looks=[after])
    assert [one.state for one in drift.list_events(bench.database)] == [DriftState.HELD]
    told(bench, looks=[before])
    assert [one.state for one in drift.list_events(bench.database)] == [DriftState.IGNORED]
