"""Queued discoveries become Prefect runs; the Prefect API here is a transport that remembers what it was asked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from modelscan.catalog import approvals, discoveries, lives
from modelscan.catalog.database import Database
from modelscan.types import Discovery, DiscoveryState, utc_now
from router_app import dispatch
from router_app.dispatch import Dispatcher, prefect_headers
from tests.catalogues import migrate
from tests.executing import executed_elsewhere

_RESUMED = {"PAUSED": "ACCEPT", "PAUSED WITHOUT A FORM": "REJECT"}


@dataclass
class Prefect:
    """A Prefect API as far as the dispatcher knows one."""

    deployed: bool = True
    reachable: bool = True
    submit_status: int = 201
    runs: dict[str, str] = field(default_factory=dict)
    message: str = ""
    submitted: list[dict[str, object]] = field(default_factory=list)
    resumed: list[dict[str, object]] = field(default_factory=list)
    resume_status: int = 200
    woken: int = 0
    asked: int = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if not self.reachable:
            raise httpx2.ConnectError("refused")
        path = request.url.path.removeprefix("/api")
        if path.startswith("/deployments/name/"):
            return httpx2.Response(200 if self.deployed else 404, json={"id": "d"})
        if path == "/deployments/d/create_flow_run":
            self.submitted.append(json.loads(request.content))
            return httpx2.Response(self.submit_status, json={"id": f"run-{len(self.submitted)}"})
        if path.endswith("/resume"):
            self.resumed.append(json.loads(request.content))
            found = self.runs.get(path.split("/")[2])
            status = self.resume_status if found or self.resume_status != 200 else 404
            return httpx2.Response(status, json={"status": _RESUMED.get(found or "", "ABORT")})
        if path.endswith("/set_state"):
            self.runs[path.split("/")[2]] = json.loads(request.content)["state"]["type"]
            return httpx2.Response(201, json={"status": "ACCEPT"})
        state = self.runs.get(path.removeprefix("/flow_runs/"))
        if state is None:
            return httpx2.Response(404)
        if state == "BROKEN":
            return httpx2.Response(500)
        told = {"message": self.message} if self.message else None
        return httpx2.Response(200, json={"state_type": state, "state_name": state.title(), "state": told})

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    return database


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pace, a hundred times as fast."""
    monkeypatch.setattr(dispatch, "_POLL_SECONDS", 0.005)
    monkeypatch.setattr(dispatch, "_WATCH_SECONDS", 0.05)


@asynccontextmanager
async def dispatching(
    database: Database, prefect: Prefect, url: Callable[[], str | None] = lambda: "http://p/api"
) -> AsyncIterator[Dispatcher]:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(prefect)) as http:
        dispatcher = Dispatcher(database, api_url=url, http=http, wake=prefect.wake)
        task = asyncio.create_task(dispatcher.run())
        yield dispatcher
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def queue(database: Database, name: str = "a", **more: object) -> None:
    run = {"id": name, "identifier": "acme/small", "created_at": utc_now(), "refresh": True, **more}
    discoveries.create(database, Discovery.model_validate(run))


def state(database: Database, name: str = "a") -> DiscoveryState:
    return discoveries.get(database, name).state


def test_what_was_queued_before_the_start_is_submitted(database: Database) -> None:
    async def story() -> None:
        queue(database)
        prefect = Prefect()
        async with dispatching(database, prefect):
            await until(lambda: prefect.woken == 1)
        (asked,) = prefect.submitted
        assert asked["parameters"] == {"identifier": "acme/small", "base_url": None, "refresh": True, "deep": False}
        assert (asked["tags"], asked["idempotency_key"]) == (["discovery:a"], "a")
        assert discoveries.get(database, "a").flow_run_id == "run-1"

    asyncio.run(story())


def test_what_is_queued_later_is_submitted_once(database: Database) -> None:
    async def story() -> None:
        prefect = Prefect()
        async with dispatching(database, prefect) as dispatcher:
            queue(database)
            dispatcher.enqueue()
            await until(lambda: prefect.woken == 1)
            dispatcher.enqueue()
            queue(database, "b")
            dispatcher.enqueue()
            await until(lambda: prefect.woken == 2)
        assert [asked["idempotency_key"] for asked in prefect.submitted] == ["a", "b"]

    asyncio.run(story())


@pytest.mark.parametrize("missing", ["reachable", "deployed"])
def test_an_api_that_is_still_starting_is_waited_for(database: Database, missing: str) -> None:
    async def story() -> None:
        queue(database)
        prefect = Prefect(**{missing: False})  # type: ignore[arg-type]
        async with dispatching(database, prefect):
            await until(lambda: prefect.asked > 2)
            assert state(database) is DiscoveryState.QUEUED
            setattr(prefect, missing, True)
            await until(lambda: prefect.woken == 1)

    asyncio.run(story())


def test_without_an_address_it_waits(database: Database) -> None:
    async def story() -> None:
        queue(database)
        looked: list[None] = []
        async with dispatching(database, prefect := Prefect(), url=lambda: looked.append(None)):
            await until(lambda: len(looked) > 2)
        assert prefect.asked == 0
        assert state(database) is DiscoveryState.QUEUED

    asyncio.run(story())


@pytest.mark.parametrize("how", ["FAILED", "CRASHED", "CANCELLED", None])
def test_a_run_that_ended_without_a_word_is_told_as_interrupted(database: Database, how: str | None) -> None:
    async def story() -> None:
        queue(database, state=DiscoveryState.RUNNING, flow_run_id="run-1")
        async with dispatching(database, Prefect(runs={"run-1": how} if how else {})):
            await until(lambda: state(database) is DiscoveryState.FAILED)
        error = discoveries.get(database, "a").error
        assert error is not None
        assert (error.code, "modelscan add acme/small" in error.hint) == ("discovery-interrupted", True)
        assert (how.title() if how else "deleted") in error.message

    asyncio.run(story())


def test_why_it_ended_is_told_as_its_state_says(database: Database) -> None:
    async def story() -> None:
        queue(database, state=DiscoveryState.RUNNING, flow_run_id="run-1")
        why = "Its process was killed\x1b[31m, with sk-proj-0123456789abcdefghijklmnop."
        async with dispatching(database, Prefect(runs={"run-1": "CRASHED"}, message=why)):
            await until(lambda: state(database) is DiscoveryState.FAILED)
        error = discoveries.get(database, "a").error
        assert error is not None
        assert "its run ended as Crashed: Its process was killed\\x1b[31m, with " in error.message
        assert "sk-proj" not in error.message

    asyncio.run(story())


def test_a_run_whose_process_was_killed_has_crashed_and_is_told_as_interrupted(database: Database) -> None:
    async def story() -> None:
        queue(database, state=DiscoveryState.RUNNING, flow_run_id="run-1")
        prefect = Prefect(runs={"run-1": "RUNNING"})
        with executed_elsewhere(database, "run-1") as process:
            async with dispatching(database, prefect):
                await until(lambda: prefect.asked > 2)
                assert state(database) is DiscoveryState.RUNNING
                process.kill()
                await until(lambda: state(database) is DiscoveryState.FAILED)
        assert prefect.runs == {"run-1": "CRASHED"}
        error = discoveries.get(database, "a").error
        assert error is not None
        assert (error.code, "modelscan add acme/small" in error.hint) == ("discovery-interrupted", True)
        assert "its run was killed" in error.message
        assert not lives.killed(database, "run-1")

    asyncio.run(story())


def test_a_run_that_goes_on_is_left_alone(database: Database) -> None:
    async def story() -> None:
        queue(database, state=DiscoveryState.RUNNING, flow_run_id="run-1")
        prefect = Prefect(runs={"run-1": "RUNNING"})
        async with dispatching(database, prefect):
            await until(lambda: prefect.asked > 1)
            prefect.reachable = False
            seen = prefect.asked
            await until(lambda: prefect.asked > seen + 1)
        assert state(database) is DiscoveryState.RUNNING

    asyncio.run(story())


def test_a_question_that_is_not_answered_well_is_asked_again(database: Database) -> None:
    async def story() -> None:
        queue(database, state=DiscoveryState.RUNNING, flow_run_id="run-1")
        prefect = Prefect(runs={"run-1": "BROKEN"})
        async with dispatching(database, prefect):
            await until(lambda: prefect.asked > 1)
            assert state(database) is DiscoveryState.RUNNING
            prefect.runs["run-1"] = "CRASHED"
            await until(lambda: state(database) is DiscoveryState.FAILED)

    asyncio.run(story())


def test_what_another_process_queued_is_found(database: Database) -> None:
    async def story() -> None:
        prefect = Prefect()
        async with dispatching(database, prefect):
            await until(lambda: prefect.asked == 0)
            queue(database)
            await until(lambda: prefect.woken == 1)

    asyncio.run(story())


def test_a_submission_that_prefect_refuses_does_not_hold_up_the_others(database: Database) -> None:
    async def story() -> None:
        queue(database)
        prefect = Prefect(submit_status=422)
        async with dispatching(database, prefect) as dispatcher:
            await until(lambda: state(database) is DiscoveryState.FAILED)
            prefect.submit_status = 503
            queue(database, "b")
            dispatcher.enqueue()
            await until(lambda: len(prefect.submitted) > 2)
            prefect.submit_status = 201
            await until(lambda: prefect.woken == 1)

    asyncio.run(story())


def test_a_server_of_the_operators_own_gets_its_credentials() -> None:
    assert prefect_headers({"PREFECT_API_KEY": "pnu"}) == {"authorization": "Bearer pnu"}
    assert prefect_headers({}) == {}


@pytest.mark.parametrize("steps", range(8))
def test_it_ends_when_told_to_at_whatever_step(database: Database, steps: int) -> None:
    async def story() -> None:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(Prefect(reachable=False))) as http:
            dispatcher = Dispatcher(database, api_url=lambda: None, http=http, wake=lambda: None)
            task = asyncio.create_task(dispatcher.run())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            assert await asyncio.wait([task], timeout=5) == ({task}, set())

    asyncio.run(story())


def judged(database: Database, *, approved: bool = True) -> None:
    queue(database, flow_run_id="run", state="waiting")
    approvals.judge(database, "a", approved=approved, reason="why")


@pytest.mark.parametrize("approved", [True, False])
def test_a_suspended_run_is_told_the_verdict_once(database: Database, approved: bool) -> None:
    async def story() -> None:
        judged(database, approved=approved)
        prefect = Prefect(runs={"run": "PAUSED"})
        async with dispatching(database, prefect):
            await until(lambda: approvals.untold(database) == ())
        assert prefect.resumed == [{"run_input": {"approve": approved, "reason": "why"}}]
        assert prefect.submitted == []

    asyncio.run(story())


@pytest.mark.parametrize("runs", [{}, {"run": "CRASHED"}])
def test_where_the_suspended_run_is_gone_another_one_publishes(database: Database, runs: dict[str, str]) -> None:
    async def story() -> None:
        judged(database)
        prefect = Prefect(runs=runs)
        async with dispatching(database, prefect):
            await until(lambda: len(prefect.submitted) == 1)
            await until(lambda: discoveries.get(database, "a").flow_run_id == "run-1")
        assert prefect.submitted[0]["idempotency_key"] == "a-approved"

    asyncio.run(story())


def test_a_run_that_was_suspended_without_its_question_is_ended_and_another_one_publishes(database: Database) -> None:
    async def story() -> None:
        judged(database)
        prefect = Prefect(runs={"run": "PAUSED WITHOUT A FORM"})
        async with dispatching(database, prefect):
            await until(lambda: discoveries.get(database, "a").flow_run_id == "run-1")
        assert prefect.runs == {"run": "CANCELLED"}
        assert prefect.submitted[0]["idempotency_key"] == "a-approved"

    asyncio.run(story())


def test_a_run_that_is_not_suspended_yet_is_told_at_a_later_look(database: Database) -> None:
    async def story() -> None:
        judged(database)
        prefect = Prefect(runs={"run": "RUNNING"})
        async with dispatching(database, prefect):
            await until(lambda: len(prefect.resumed) >= 1)
            prefect.runs["run"] = "PAUSED"
            await until(lambda: approvals.untold(database) == ())
        assert prefect.submitted == []

    asyncio.run(story())


def test_a_prefect_that_fails_is_told_later(database: Database) -> None:
    async def story() -> None:
        judged(database)
        prefect = Prefect(runs={"run": "PAUSED"}, resume_status=500)
        async with dispatching(database, prefect):
            await until(lambda: len(prefect.resumed) >= 2)
            prefect.resume_status = 200
            await until(lambda: approvals.untold(database) == ())

    asyncio.run(story())
