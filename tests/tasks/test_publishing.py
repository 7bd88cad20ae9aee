"""Publishing leaves alone what says the same, and a reload is what a router confirms."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from starlette.types import Receive, Scope, Send

from modelscan.catalog import canaries, discoveries, prices, records
from modelscan.clients import activation
from modelscan.codegen.render import render_client, render_test
from modelscan.errors import DiscoveryFailed
from modelscan.reference import serve
from modelscan.settings import VersionSettings
from modelscan.types import ClientSpec, Fact, Level, SdkVersion, SourceRecord, ValidationReport, Verdict, utc_now
from modelscan.validation.repair import Repaired, Sources
from tasks import publishing
from tasks.publishing import publish, reload
from tasks.run import Run
from tests.validation.specs import a_spec


def proved(spec: ClientSpec) -> Repaired:
    sources = Sources(render_client(spec, ()), render_test(spec))
    return Repaired(spec, sources, ValidationReport(level=Level.LIVE), ())


def published(run: Run, spec: ClientSpec) -> SdkVersion:
    async def story() -> SdkVersion:
        version = await publish.fn(run, proved(spec))
        await run.telling.written()
        return version

    return asyncio.run(story())


def test_what_says_the_same_leaves_the_file_and_the_version_alone(run: Run) -> None:
    first = published(run, a_spec())
    file = run.bench.settings.generation.path / first.path
    before = file.stat().st_mtime_ns
    again = published(run, a_spec(evidence=dict.fromkeys(ClientSpec.CITED_FIELDS, "f" * 16)))
    assert (again.version, again.sha256, file.stat().st_mtime_ns) == (first.version, first.sha256, before)


def test_what_says_something_else_is_a_new_version(run: Run) -> None:
    first = published(run, a_spec())
    assert published(run, a_spec(name="Other")).version == first.version + 1


def test_a_server_that_another_one_replaces_is_named(run: Run) -> None:
    published(run, a_spec(base_url="http://127.0.0.1:9001/v1"))
    published(run, a_spec(base_url="http://127.0.0.1:9002/v1"))
    told = [step.detail for step in discoveries.get(run.bench.database, "d1").steps]
    assert told == ["acme.py, version 1", "acme.py, version 2, in place of http://127.0.0.1:9001/v1"]


def test_what_models_cost_is_taken_up_with_the_client(run: Run) -> None:
    record = SourceRecord.of(source="models.dev", subject="acme", url="u", payload={}, trusted=True)
    said = Fact(subject="acme/anvil", field="price.input_mtok", value="0.3", record=record.id, confidence=0.9)
    records.save(run.bench.database, [record], [said])
    for _ in range(2):
        published(run, a_spec())
    (price,) = prices.versions(run.bench.database)
    assert (price.model, price.tariff.stated(), price.evidence["input_mtok"].record) == (
        "anvil",
        {"input_mtok": "0.3"},
        record.id,
    )


def test_a_file_that_was_tampered_with_is_written_anew(run: Run) -> None:
    first = published(run, a_spec())
    file = run.bench.settings.generation.path / first.path
    proven = file.read_bytes()
    file.write_bytes(proven.replace(b"import re", b"import re  # mine"))
    assert published(run, a_spec()).sha256 == first.sha256
    assert file.read_bytes() == proven


def told(run: Run) -> list[str]:
    """How each step was told."""
    return [step.detail for step in discoveries.get(run.bench.database, "d1").steps]


def with_canaries(run: Run) -> Run:
    """A run whose settings have new versions tried first."""
    versions_ = VersionSettings(canary_share=0.2, canary_requests=7)
    bench = replace(run.bench, settings=run.bench.settings.model_copy(update={"versions": versions_}))
    return replace(run, bench=bench)


def test_a_new_version_is_tried_first_where_the_settings_say_so(run: Run) -> None:
    first = published(with_canaries(run), a_spec())
    second = published(with_canaries(run), a_spec(name="Other"))
    assert (first.active, second.active) == (True, False)
    (trial,) = canaries.canaries(run.bench.database)
    assert (trial.version, trial.share, trial.requests) == (2, 0.2, 7)
    assert told(run)[1] == "acme.py, version 2, tried by some requests first: modelscan versions acme"
    file = run.bench.settings.generation.path / first.path
    assert hashlib.sha256(file.read_bytes()).hexdigest() == first.sha256


def test_a_version_of_another_server_is_served_to_all_at_once(run: Run) -> None:
    published(with_canaries(run), a_spec())
    assert published(with_canaries(run), a_spec(base_url="http://127.0.0.1:9002/v1")).active


def test_what_was_rolled_back_is_not_served_until_its_discovery_is_approved(run: Run) -> None:
    for name in ("One", "Two"):
        published(run, a_spec(name=name))
    activation.roll_back(run.bench.database, run.bench.settings.generation.path, "acme", actor="operator")
    again = published(run, a_spec(name="Two"))
    assert (again.version, again.active) == (2, False)
    assert told(run)[-1].endswith("which was rolled back before and stays so: modelscan activate acme 2")
    assert asyncio.run(reload.fn(run, again)) is None
    verdict = Verdict(approved=True, at=utc_now())
    assert published(
        replace(run, discovery=run.discovery.model_copy(update={"verdict": verdict})), a_spec(name="Two")
    ).active


class Router:
    """Answers a reload with one answer after the other."""

    def __init__(self, answers: Sequence[tuple[int, object]]) -> None:
        self.answers = list(answers)
        self.tokens: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (scope["method"], scope["path"]) == ("POST", "/api/reload")
        self.tokens.append(dict(scope["headers"])[b"authorization"])
        status, body = self.answers.pop(0)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


@asynccontextmanager
async def a_router(run: Run, *answers: tuple[int, object]) -> AsyncIterator[Router]:
    router = Router(answers)
    async with serve(router) as url:
        (run.bench.settings.data_dir / "router.url").write_text(url)
        (run.bench.settings.data_dir / "admin.token").write_text("t")
        yield router


def serving(version: SdkVersion, sha256: str) -> object:
    return {"generation": 7, "providers": {version.provider: {"sha256": sha256}}, "problems": ["why"]}


def test_a_reload_is_confirmed_by_the_files_hash(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "_AGAIN_SECONDS", 0.01)
    version = published(run, a_spec())

    async def story() -> None:
        async with a_router(run, (503, {}), (200, serving(version, version.sha256))) as router:
            assert await reload.fn(run, version) == 7
        assert router.tokens == [b"Bearer t"] * 2

    asyncio.run(story())


def test_a_reload_that_tries_the_version_is_confirmed(run: Run) -> None:
    published(run, a_spec())
    version = published(with_canaries(run), a_spec(name="Other"))
    entry = {"sha256": "of the one that is served", "canary": {"sha256": version.sha256}}

    async def story() -> None:
        async with a_router(run, (200, {"generation": 8, "providers": {"acme": entry}})):
            assert await reload.fn(run, version) == 8

    asyncio.run(story())


def test_a_router_that_serves_something_else_is_a_failure(run: Run) -> None:
    version = published(run, a_spec())

    async def story() -> None:
        for answer in ((200, serving(version, "other")), (200, {}), (500, {})):
            async with a_router(run, answer):
                with pytest.raises(DiscoveryFailed, match="does not serve this version"):
                    await reload.fn(run, version)

    asyncio.run(story())


def test_a_router_that_stays_closed_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "_RESTART_SECONDS", 0.0)
    version = published(run, a_spec())

    async def story() -> None:
        async with a_router(run, (503, {"code": "service-unavailable"})):
            with pytest.raises(DiscoveryFailed, match="answered 503"):
                await reload.fn(run, version)

    asyncio.run(story())


def test_no_router_is_no_failure(run: Run, free_port: int) -> None:
    version = published(run, a_spec())
    assert asyncio.run(reload.fn(run, version)) is None
    (run.bench.settings.data_dir / "router.url").write_text(f"http://127.0.0.1:{free_port}")
    (run.bench.settings.data_dir / "admin.token").write_text("t")
    assert asyncio.run(reload.fn(run, version)) is None
