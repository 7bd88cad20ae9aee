"""Each step says what it removed; what fails is told, and keeps nothing else from being done."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.states import Completed, Failed

from flows import maintain as module
from modelscan.catalog import discoveries, records
from modelscan.types import Discovery, DiscoveryState, SourceRecord, utc_now
from tasks import maintaining
from tasks.bench import Bench
from tasks.maintaining import Done
from tasks.retention import Forgotten


class Client:
    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The artifact that was made last."""
    seen: dict[str, Any] = {}

    async def create(markdown: str, **more: Any) -> None:
        seen.update(more, markdown=markdown)

    monkeypatch.setattr(maintaining, "acreate_markdown_artifact", create)
    return seen


def record(number: int, at: datetime) -> SourceRecord:
    return SourceRecord.of(
        source="models.dev", subject="acme", url="https://a.example", payload=[number], trusted=True, fetched_at=at
    )


def test_each_step_removes_what_is_old_and_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    old = utc_now() - timedelta(days=400)
    discoveries.create(bench.database, Discovery(id="d1", identifier="acme", created_at=old))
    discoveries.update(bench.database, "d1", state=DiscoveryState.FAILED)
    superseded, cited = record(1, old), record(2, old + timedelta(days=1))
    records.save(bench.database, [superseded, cited, record(3, utc_now())])
    bench.settings.generation.path.mkdir(parents=True, exist_ok=True)
    (bench.settings.generation.path / "acme.py").write_text(f"SPEC = {{'evidence': '{cited.id}'}}\n")
    bench.settings.journal_dir.mkdir()
    begun = bench.settings.journal_dir / "a.new"
    begun.touch()
    monkeypatch.setattr("modelscan.usage.journal._BEGUN_SECONDS", -1.0)
    before: list[datetime] = []

    async def forget(_: object, moment: datetime) -> Forgotten:
        before.append(moment)
        return Forgotten(7, 9)

    monkeypatch.setattr(maintaining, "get_client", Client)
    monkeypatch.setattr(maintaining, "forget_runs", forget)
    steps = (
        maintaining.keep_usage,
        maintaining.keep_journal,
        maintaining.keep_history,
        maintaining.keep_records,
        maintaining.keep_discoveries,
        maintaining.keep_prefect,
        maintaining.keep_logs,
    )
    done = [asyncio.run(step.fn(bench)) for step in steps]
    assert [(one.what, one.removed) for one in done] == [
        ("usage", "0 old rows; 1 batches added up"),
        ("journal", "1 leftovers"),
        ("history", "0 rows"),
        ("source answers", "1 superseded"),
        ("discoveries", "1 runs"),
        ("prefect", "7 flow runs, 9 artifacts; 0.0 MiB given back"),
        ("logs", "0 begun anew"),
    ]
    assert not begun.exists()
    assert records.get_record(bench.database, cited.id)
    assert datetime.now(UTC) - before[0] >= timedelta(days=30)


def test_the_artifact_says_what_was_removed_what_failed_and_how_large_things_are(
    bench: Bench, told: dict[str, Any]
) -> None:
    asyncio.run(maintaining.report(bench, [Done("usage", "3 old rows", "35 days")], ["prefect: down"]))
    assert told["key"] == "maintenance"
    text = told["markdown"]
    assert "| usage | 3 old rows | 35 days |" in text
    assert "| prefect: down |" in text
    assert re.search(r"\| catalogue \| \d\.[1-9] MiB \|", text)
    asyncio.run(maintaining.report(bench, [], []))
    assert "Nothing could be." in told["markdown"]
    assert "What failed" not in told["markdown"]


class Step:
    """A task that ends as it is told."""

    def __init__(self, name: str, fault: str = "") -> None:
        self.task_run_name, self.fault = name, fault

    async def __call__(self, _: object, return_state: bool) -> Any:
        assert return_state
        return Failed(message=self.fault) if self.fault else Completed(data=Done(self.task_run_name, "1", ""))


@pytest.mark.parametrize("fault", ["", "the catalogue is busy"])
def test_a_step_that_fails_keeps_no_other_from_being_done(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    told: list[object] = []

    async def report(*what: object) -> None:
        told.append(what[1:])

    steps = (
        "keep_usage",
        "keep_journal",
        "keep_history",
        "keep_records",
        "keep_discoveries",
        "keep_prefect",
        "keep_logs",
    )
    for name in steps:
        monkeypatch.setattr(module, name, Step(name, fault if name == "keep_records" else ""))
    monkeypatch.setattr(module, "the_bench", lambda: None)
    monkeypatch.setattr(module, "report", report)
    state = asyncio.run(module.maintain.fn())
    done = [Done(name, "1", "") for name in steps if not (fault and name == "keep_records")]
    failed = [f"keep_records: {fault}"] if fault else []
    assert told == [(done, failed)]
    assert state.is_failed() is bool(fault)
    assert (f"1 of 7 steps failed: keep_records: {fault}" if fault else "keep_usage: 1") in str(state.message)
