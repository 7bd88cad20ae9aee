"""Published clients are proved again, and what they no longer do is told once, and taken back where it passes again."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Completed, Crashed, Failed
from pydantic import SecretStr

from modelscan.catalog import discoveries, drift, verifications
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.custody.sealing import Custody
from modelscan.errors import GenerationRefused, ProviderNotFound
from modelscan.keys import store
from modelscan.reference import serve_in_thread
from modelscan.settings import DriftSettings, Settings, ensure_data_dir
from modelscan.types import (
    Attempt,
    Auth,
    CaseChange,
    CaseResult,
    Discovery,
    DriftEvent,
    DriftState,
    Level,
    SdkVersion,
    ValidationReport,
    Verification,
    utc_now,
)
from modelscan.usage.prices import PriceBook
from modelscan.validation.sandbox import Sandbox
from modelscan.validation.verification import Purse, earlier_reports
from tasks import verifying as module
from tasks.bench import Bench
from tasks.drifting import tell
from tasks.verifying import Verifying, opened, report, summary, verify_task
from tests.router_app.ailing import Ailing
from tests.router_app.routers import KEY, a_spec, publish
from tests.usage.pricing import version as priced

WITH_KEY = Auth(env=("ACME_API_KEY",))


@pytest.fixture(scope="module")
def warm() -> Iterator[Sandbox]:
    """One for all: it takes a second to start."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def bench(settings: Settings, warm: Sandbox) -> Bench:
    ensure_data_dir(settings)
    database = Database(settings.database_path)
    migrate(database)
    return Bench(settings, database, Custody(SecretStr("master")), warm)


async def quietly(bench: Bench, events: Sequence[Any]) -> Sequence[DriftEvent]:
    return await tell(bench, events, emit=lambda **_: None)


async def verified(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    *providers: str,
    level: str = "probe",
    cost: float = 0.0,
    book: PriceBook | None = None,
) -> list[Verification]:
    """What becomes of each, without Prefect's engine."""
    monkeypatch.setattr(module, "the_bench", lambda: bench)
    run = await opened(providers, level, cost)
    if book:
        monkeypatch.setattr(module, "load_book", lambda _: book)
        run = await opened(providers, level, cost)
    run = Verifying(run.bench, run.verifier, run.versions, run.at_once, quietly)
    states = [await verify_task.fn(run, one) for one in run.versions]
    return [await state.aresult() for state in states]


def test_what_a_provider_no_longer_does_is_told_once_and_taken_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = Ailing(key=KEY)

    async def outcomes() -> list[str]:
        return [one.outcome for one in await verified(bench, monkeypatch)]

    with serve_in_thread(peer) as origin:
        publish(bench.settings, a_spec(f"{origin}/v1", auth=WITH_KEY))
        assert asyncio.run(outcomes()) == ["as before"]
        assert drift.list_events(bench.database) == ()
        peer.status = 404
        assert asyncio.run(outcomes()) == ["changed"]
        told = drift.list_events(bench.database)
        assert {one.field for one in told} == {"probe.models_without_key", "probe.chat_without_key"}
        assert {(one.kind, one.before, one.state) for one in told} == {("behaviour", "passed", DriftState.HELD)}
        assert all((one.after or "").startswith("failed: expected ") for one in told)
        assert told[0].evidence[0].url == f"{origin}/v1"
        assert asyncio.run(outcomes()) == ["as before"]
        assert len(drift.list_events(bench.database)) == 2
        peer.status = None
        assert asyncio.run(outcomes()) == ["recovered"]
        assert drift.list_events(bench.database, states=[DriftState.HELD]) == ()
    assert {authorization for _, authorization in peer.asked} == {None}  # No key is sent below the level live.


def test_where_the_policy_says_so_the_client_is_made_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    drifting = bench.settings.model_copy(update={"drift": DriftSettings(behaviour="apply")})
    bench, peer = replace(bench, settings=drifting), Ailing()
    with serve_in_thread(peer) as origin:
        url = f"{origin}/v1"
        first = Discovery(id="d1", identifier="acme/echo", base_url=url, created_at=utc_now(), state="failed")
        discoveries.create(bench.database, first)
        publish(bench.settings, a_spec(url), discovery_id="d1")
        asyncio.run(verified(bench, monkeypatch))
        peer.status = 404
        asyncio.run(verified(bench, monkeypatch))
        (queued,) = discoveries.unfinished(bench.database)
        peer.status = None
        asyncio.run(verified(bench, monkeypatch))  # That it passes again asks for nothing.
    assert (queued.identifier, queued.base_url) == ("acme/echo", url)
    assert discoveries.unfinished(bench.database) == (queued,)


def test_one_whose_discovery_is_gone_is_discovered_by_its_name(bench: Bench) -> None:
    module._prove_anew(bench, a_version(None))
    (queued,) = discoveries.unfinished(bench.database)
    assert (queued.identifier, queued.base_url) == ("acme", None)


def test_who_cannot_be_reached_is_not_reached_and_a_file_that_was_changed_is_proved_as_it_was_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(bench.settings, a_spec("http://127.0.0.1:9/v1"))
    (found,) = asyncio.run(verified(bench, monkeypatch))
    assert (found.outcome, found.level) == ("not reached", Level.CONTRACT)
    assert "could not be reached" in found.detail
    assert drift.list_events(bench.database) == ()
    file = bench.settings.generation.path / "acme.py"
    file.write_text("raise SystemExit\n")
    (again,) = asyncio.run(verified(bench, monkeypatch, "acme"))
    assert (again.outcome, again.version) == ("not reached", found.version)


def test_only_those_that_are_named_are_verified(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ("acme", "bolt"):
        publish(bench.settings, a_spec("http://127.0.0.1:9/v1", provider))
    (found,) = asyncio.run(verified(bench, monkeypatch, "bolt", "bolt", level="contract"))
    assert (found.provider, found.level, found.outcome) == ("bolt", Level.CONTRACT, "as before")
    assert found.detail == "It was not asked for more than contract."
    with pytest.raises(ProviderNotFound):
        asyncio.run(verified(bench, monkeypatch, "nobody"))


@pytest.mark.parametrize(
    ("cost", "price", "key", "level", "detail"),
    [
        (1.0, "1", KEY, Level.LIVE, ""),
        (0.0001, "1", KEY, Level.PROBE, r"not asked live: it may cost 0\.\d{4} \$, and 0\.0001 \$ are left"),
        (1.0, None, KEY, Level.PROBE, "not asked live: the price of echo is unknown"),
        (1.0, "1", None, Level.PROBE, "not asked live: acme has no key to prove it with."),
    ],
)
def test_live_is_asked_only_as_far_as_the_purse_a_price_and_a_key_reach(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    cost: float,
    price: str | None,
    key: str | None,
    level: Level,
    detail: str,
) -> None:
    peer = Ailing(key=KEY)
    book = PriceBook([priced(model="echo", input_mtok=price, output_mtok=price)] if price else [])
    with serve_in_thread(peer) as origin:
        publish(bench.settings, a_spec(f"{origin}/v1", auth=WITH_KEY))
        if key:
            store.add_key(bench.database, bench.custody, "acme", SecretStr(key))
        (found,) = asyncio.run(verified(bench, monkeypatch, level="live", cost=cost, book=book))
    assert found.level is level
    assert re.fullmatch(detail, found.detail)
    assert (found.cost_usd > 0) is (level is Level.LIVE)
    assert any(authorization for _, authorization in peer.asked) is (level is Level.LIVE)


def test_a_server_that_wants_no_key_costs_nothing_to_ask_live(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_in_thread(Ailing()) as origin:
        publish(bench.settings, a_spec(f"{origin}/v1"))
        (found,) = asyncio.run(verified(bench, monkeypatch, level="live"))
    assert (found.level, found.cost_usd) == (Level.LIVE, Decimal(0))


def test_a_purse_gives_no_more_than_it_holds() -> None:
    purse = Purse(Decimal("0.3"))
    assert [purse.take(Decimal("0.2")), purse.take(Decimal("0.2"))] == [True, False]
    purse.give_back(Decimal("0.1"))
    assert purse.take(Decimal("0.2"))


def a_version(discovery_id: str | None) -> SdkVersion:
    return SdkVersion(
        provider="acme",
        version=1,
        digest="",
        path="acme.py",
        sha256="",
        level=Level.PROBE,
        active=True,
        published_at=utc_now(),
        discovery_id=discovery_id,
    )


def test_what_its_discovery_proved_is_the_oldest_report(bench: Bench) -> None:
    proved, seen = (ValidationReport(level=level) for level in (Level.PROBE, Level.CONTRACT))
    attempt = Attempt(number=1, proposal="", spec_digest="", report=proved)
    found = Discovery(id="d1", identifier="acme", created_at=utc_now(), attempts=(attempt,))
    discoveries.create(bench.database, found)
    verifications.save(bench.database, a_version("d1"), seen, utc_now(), None)
    assert earlier_reports(bench.database, a_version("d1")) == (seen, proved)
    assert earlier_reports(bench.database, a_version(None)) == (seen,)


def test_the_summary_is_a_table_with_what_matters_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    async def create(**artifact: Any) -> None:
        made.update(artifact)

    monkeypatch.setattr(module, "acreate_markdown_artifact", create)
    case = CaseResult(case="chats", level=Level.CONTRACT, outcome="passed")
    change = CaseChange(before=case, after=case.model_copy(update={"outcome": "failed"}))
    usual: dict[str, Any] = {"version": 1, "published": Level.PROBE, "level": Level.PROBE}
    rows = [
        Verification(provider="acme", outcome="as before", **usual),
        Verification(provider="bolt", outcome="changed", changes=(change,), detail="a | <b>", **usual),
    ]
    assert asyncio.run(report(rows)) == summary(rows) == "2 clients: 1 changed, 1 as before."
    assert made["key"] == "verify-clients"
    assert made["markdown"].index("bolt") < made["markdown"].index("acme")
    assert "a \\| &lt;b&gt;" in made["markdown"]
    assert summary([]) == "No client is published."


class Engine:
    """As much of a Prefect task as is used: a task that ends in one of these states, by provider."""

    def __init__(self, **states: State[Any]) -> None:
        self.states = states
        self.names: list[str] = []

    def with_options(self, task_run_name: str) -> Any:
        self.names.append(task_run_name)
        return self._run

    async def _run(self, _: object, version: SdkVersion, return_state: bool) -> State[Any]:
        assert return_state
        return self.states[version.provider]


def test_one_that_fails_is_a_row_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    well = Verification(provider="acme", version=1, published=Level.PROBE, level=Level.PROBE, outcome="as before")
    engine = Engine(
        acme=Completed(data=well),
        bolt=Failed(data=GenerationRefused("It is not the file.", hint="Add it."), message="gone"),
        coda=Crashed(message="the runner was stopped"),
    )
    monkeypatch.setattr(module, "verify_task", engine)

    async def story() -> list[Verification]:
        run: Any = None
        served = [a_version(None).model_copy(update={"provider": provider}) for provider in engine.states]
        return [await module.verify(run, one) for one in served]

    found = asyncio.run(story())
    assert engine.names == ["verify acme", "verify bolt", "verify coda"]
    assert [one.outcome for one in found] == ["as before", "not verified", "not verified"]
    assert "It is not the file." in found[1].detail
    assert "stopped" in found[2].detail
