"""A run writes its steps while they happen, and how it ended, whatever ended it."""

import asyncio
import traceback
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.exceptions import Pause
from prefect.states import Suspended
from pydantic import SecretStr

from modelscan.catalog import discoveries
from modelscan.errors import DiscoveryNotFound, ModelScanError, NotEnoughEvidence
from modelscan.keys import store
from modelscan.types import Discovery, utc_now
from tasks import run as module
from tasks.bench import Bench
from tasks.run import Run, opened


@pytest.fixture
def as_flow_run(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> Any:
    """Make it look as if Prefect ran this, with these tags."""

    def told(*tags: str) -> None:
        flow_run = SimpleNamespace(id="00000000-0000-0000-0000-000000000001", tags=list(tags))
        monkeypatch.setattr(module, "runtime", SimpleNamespace(flow_run=flow_run))
        monkeypatch.setattr(module, "the_bench", lambda: bench)

    return told


def asked(bench: Bench) -> Discovery:
    found = Discovery(id="asked", identifier="acme/small", created_at=utc_now())
    discoveries.create(bench.database, found)
    return found


def test_a_step_is_told_with_its_end(run: Run) -> None:
    async def story() -> None:
        with run.step("scrape models.dev") as step:
            step.detail, step.state = "12 models", "cached"
        with pytest.raises(NotEnoughEvidence), run.step("synthesise"):
            raise NotEnoughEvidence("Nobody says.")
        with pytest.raises(RuntimeError), run.step("generate"):
            raise RuntimeError("sk-canary stays out of the catalogue")
        await run.telling.written()

    asyncio.run(story())
    steps = discoveries.get(run.bench.database, "d1").steps
    assert [(step.name, step.state, step.detail) for step in steps] == [
        ("scrape models.dev", "cached", "12 models"),
        ("synthesise", "failed", "Nobody says."),
        ("generate", "failed", "RuntimeError"),
    ]
    assert all(step.ended_at for step in steps)


def test_the_words_that_end_a_task_hold_no_key(run: Run) -> None:
    key = "sk-proj-abcdefghij0123456789ABCDEFGHIJ"

    async def story() -> None:
        with pytest.raises(ModelScanError, match="ValueError: quoted") as ended, run.step("scrape"):
            raise ValueError(f"quoted {key}")
        assert key not in "".join(traceback.format_exception(ended.value))
        await run.telling.written()

    asyncio.run(story())


def test_the_run_that_was_asked_for_is_found_by_its_tag(bench: Bench, as_flow_run: Any) -> None:
    asked(bench)
    as_flow_run("modelscan", "discovery:asked")

    async def story() -> None:
        async with opened("acme/small", None, False) as run:
            assert (run.discovery.id, run.discovery.state) == ("asked", "running")
            await run.succeeded((), level="live", version=1)

    asyncio.run(story())
    assert discoveries.get(bench.database, "asked").state == "succeeded"
    assert len(discoveries.recent(bench.database)) == 1


def test_a_run_that_the_ui_started_makes_its_own_row(bench: Bench, as_flow_run: Any) -> None:
    as_flow_run("modelscan")

    async def story() -> None:
        async with opened("acme/small", "http://127.0.0.1:9/v1", True, deep=True) as run:
            assert (await run.request()).deep
            assert run.discovery.flow_run_id == "00000000-0000-0000-0000-000000000001"

    asyncio.run(story())
    (found,) = discoveries.recent(bench.database)
    assert (found.identifier, found.base_url) == ("acme/small", "http://127.0.0.1:9/v1")
    assert (found.refresh, found.deep) == (True, True)


def test_a_tag_of_a_row_that_is_gone_is_an_error(bench: Bench, as_flow_run: Any) -> None:
    as_flow_run("discovery:gone")

    async def story() -> None:
        async with opened("acme/small", None, False):
            raise AssertionError("not reached")

    with pytest.raises(DiscoveryNotFound):
        asyncio.run(story())


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (NotEnoughEvidence("Nobody says.", hint="Say it.", field="auth"), "not-enough-evidence", "Nobody says."),
        (asyncio.CancelledError(), "discovery-interrupted", "was stopped before its end"),
        (RuntimeError("sk-canary"), "error", "failed unexpectedly: RuntimeError"),
    ],
)
def test_how_a_run_failed_is_stored(
    bench: Bench, as_flow_run: Any, error: BaseException, code: str, words: str
) -> None:
    asked(bench)
    as_flow_run("discovery:asked")

    async def story() -> None:
        with pytest.raises(type(error)):
            async with opened("acme/small", None, False):
                raise error

    asyncio.run(story())
    found = discoveries.get(bench.database, "asked")
    assert found.error is not None
    assert (found.state, found.error.code) == ("failed", code)
    assert words in found.error.message
    assert found.error.hint
    assert "canary" not in found.model_dump_json()


def test_the_sources_are_told_the_least_used_key(run: Run) -> None:
    async def story() -> None:
        assert (await run.request()).key is None
        store.add_key(run.bench.database, run.bench.custody, "acme", SecretStr("sk-acme"))
        request = await run.request()
        assert request.key is not None
        assert request.key.get_secret_value() == "sk-acme"
        assert "sk-acme" not in repr(request)

    asyncio.run(story())


def test_a_suspended_run_waits_on_and_counts_its_steps_on(bench: Bench, as_flow_run: Any) -> None:
    as_flow_run()

    async def story() -> None:
        async with opened("acme/small", None, False) as run:
            with run.step("hold"):
                run.telling.change(state="waiting", digest="0" * 64)
            raise Pause(state=Suspended())

    async def again() -> None:
        async with opened("acme/small", None, False) as run:
            assert run.discovery.state == "waiting"
            with run.step("publish"):
                """What was approved."""
            await run.telling.written()

    with pytest.raises(Pause):
        asyncio.run(story())
    asyncio.run(again())
    (found,) = discoveries.recent(bench.database)
    assert (found.state, [(step.seq, step.name) for step in found.steps]) == ("waiting", [(1, "hold"), (2, "publish")])


def test_what_is_held_waits_on_when_its_run_is_ended(bench: Bench, as_flow_run: Any) -> None:
    asked(bench)
    as_flow_run("discovery:asked")

    async def story() -> None:
        async with opened("acme/small", None, False) as run:
            run.telling.change(state="waiting", digest="0" * 64)
            await run.telling.written()
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(story())
    found = discoveries.get(bench.database, "asked")
    assert (found.state, found.error) == ("waiting", None)
