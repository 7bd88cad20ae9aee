"""Canary keys, in the environment, the configuration and the key store, come out nowhere: not even where a provider
quotes what it was sent in its errors, its models, its headers and its answers."""

import asyncio
import itertools
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from modelscan.catalog import discoveries
from modelscan.cli import modelscan
from modelscan.errors import ModelScanError
from modelscan.keys import store
from modelscan.reference import serve, serve_in_thread
from modelscan.settings import Settings
from modelscan.sources.gather import gather
from modelscan.synthesis.evidence import Evidence
from modelscan.types import TokenTerms
from modelscan.validation.repair import repair
from router_app.app import create_app
from router_app.gate import Gate
from router_app.service import Service
from tasks import run as run_module
from tasks.bench import Bench
from tasks.generating import generate
from tasks.language_models import agent_of
from tasks.publishing import publish
from tasks.reporting import markdown
from tasks.run import Run, opened
from tasks.scraping import remember
from tasks.synthesising import synthesise
from tasks.validating import validate
from tests.router_app.routers import TOKEN, chat_body
from tests.synthesis.proposing import proposal
from tests.synthesis.scripted_llm import scripted

IN_STORE = "sk-canary-store-7f3e9b2d5a1c"
IN_CONFIG = "sk-canary-config-1b5d8e0a4c7f"
IN_VARIABLE = "sk-canary-variable-9a2c4e6f8b0d"
OPENAI = "sk-canary-openai-3c5e7a9b1d2f"
ANTHROPIC = "sk-ant-canary-6d8f0b2a4c1e"
ASKED = "sk-canary-agent-0f1e2d3c4b5a"
MASTER = "canary-master-key-5e7d9c1b3a2f"
CANARIES = (IN_STORE, IN_CONFIG, IN_VARIABLE, OPENAI, ANTHROPIC, ASKED, MASTER, TOKEN)


class Parrot:
    """A provider that quotes all that it is sent, wherever an API has room for words; `works` or refuses every chat."""

    def __init__(self, *, works: bool) -> None:
        self.works = works
        self.keys: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        key = headers.get("authorization", "").removeprefix("Bearer ")
        self.keys |= {key} - {""}
        status, answer, kind = self._answer(scope["path"], body, key, json.dumps(headers))
        quoted = [(b"content-type", kind), (b"x-you-sent", (key or "nothing").encode())]
        await send({"type": "http.response.start", "status": status, "headers": quoted})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, path: str, body: bytes, key: str, headers: str) -> tuple[int, bytes, bytes]:
        if "/v1/messages" in path:  # It speaks one protocol, so that rules have nothing left to try after a refusal.
            return 404, json.dumps({"error": {"message": f"no {path}: {headers}"}}).encode(), JSON
        if key not in (IN_STORE, IN_CONFIG, IN_VARIABLE):
            words = f"Incorrect API key provided: {headers}"
            return 401, json.dumps({"error": {"message": words, "type": "auth", "code": key}}).encode(), JSON
        if path.endswith("/models"):
            ids = ("small", key, f"model-of-{key}", f"{key}/large")
            return (
                200,
                json.dumps({"object": "list", "data": [{"id": id_, "owned_by": key} for id_ in ids]}).encode(),
                JSON,
            )
        asked = json.loads(body or b"{}")
        if not self.works or asked.get("model") != "small":
            words = f"{headers} is not allowed to use the model"
            return 400, json.dumps({"error": {"message": words, "param": key, "code": key}}).encode(), JSON
        return _chat(key, headers, stream=asked.get("stream") is True)


JSON, EVENTS = b"application/json", b"text/event-stream"


def _chat(key: str, headers: str, *, stream: bool) -> tuple[int, bytes, bytes]:
    base = {"id": key, "created": 1, "model": key, "system_fingerprint": key}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if not stream:
        message = {"role": "assistant", "content": headers}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return 200, json.dumps({**base, "object": "chat.completion", "choices": choices, "usage": usage}).encode(), JSON
    chunks = [{"content": headers}, {"content": key}, {}]
    events = [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"} for delta in chunks]
    lines = [{**base, "object": "chat.completion.chunk", "choices": [event]} for event in events]
    return 200, b"".join(b"data: %s\n\n" % json.dumps(line).encode() for line in lines) + b"data: [DONE]\n\n", EVENTS


@pytest.fixture
def bench(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """With a canary in every place where a key may be."""
    given = {"MODELSCAN_MASTER_KEY": MASTER, "MODELSCAN_ADMIN_TOKEN": TOKEN, "ACME_API_KEY": IN_VARIABLE}
    for name, value in {**given, "OPENAI_API_KEY": OPENAI, "ANTHROPIC_API_KEY": ANTHROPIC}.items():
        monkeypatch.setenv(name, value)
    configured = settings.model_copy(update={"api_keys": {"acme": (SecretStr(IN_CONFIG),)}})
    made = Bench.of(configured, os.environ)
    with made.sandbox:
        store.add_key(made.database, made.custody, "acme", SecretStr(IN_STORE))
        store.import_operator_keys(
            made.database,
            made.custody,
            config=configured.api_keys,
            variables={"acme": ("ACME_API_KEY",)},
            environ=os.environ,
        )
        monkeypatch.setattr(run_module, "the_bench", lambda: made)
        runtime = SimpleNamespace(flow_run=SimpleNamespace(id="00000000-0000-0000-0000-000000000001", tags=[]))
        monkeypatch.setattr(run_module, "runtime", runtime)
        yield made


def with_model(run: Run, url: str) -> Run:
    """The run, with a scripted language model as the operator's own choice, which needs a key."""
    asked = {"agent_base_url": f"{url}/v1", "agent_base_model": "smol", "agent_api_key": SecretStr(ASKED)}
    discovery = run.bench.settings.discovery.model_copy(update=asked)
    settings = run.bench.settings.model_copy(update={"discovery": discovery})
    return replace(run, bench=replace(run.bench, settings=settings))


async def discovered(base_url: str, url: str) -> str:
    """One discovery as the flow has it, without Prefect; its artifact, or the words of its error."""
    try:
        async with opened("acme/small", base_url, True) as opened_run:
            run = with_model(opened_run, url)
            request = await run.request()
            scrapes = await gather(request)
            evidence = Evidence(
                identifier=run.identifier,
                records=tuple(one.record for one in scrapes if one.record),
                gaps=tuple(one.gap for one in scrapes if one.gap),
            )
            await remember(run, evidence)
            proved = await repair(
                partial(synthesise.fn, run, evidence, await agent_of(run)),
                partial(generate.fn, run, evidence),
                partial(validate.fn, run, request),
                on_attempt=run.telling.attempt,
            )
            version = await publish.fn(run, proved)
            ended = await run.succeeded(evidence.gaps, level=proved.report.level, version=version.version)
        return markdown(ended, proved, evidence)
    except ModelScanError as error:
        return f"{error}{error.fields}"


def found_in(folder: Path, *more: str) -> list[tuple[Path, str]]:
    """The files below that hold a canary: settings, secrets, catalogue, journal, generated modules."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [(file, canary) for file in files for canary in (*CANARIES, *more) if canary.encode() in file.read_bytes()]


def shown(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """All that the command line tells of it."""
    monkeypatch.setenv("MODELSCAN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("MODELSCAN_GENERATION_PATH", str(settings.generation.path))
    commands = (
        "providers",
        "models",
        "keys list",
        "sdks",
        "stats",
        "dossier acme",
        "conflicts",
        "config show",
    )
    done = [
        CliRunner().invoke(modelscan, [*command.split(), *more]) for command in commands for more in ((), ("--json",))
    ]
    return "".join(one.output for one in done)


@asynccontextmanager
async def router(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """Its address, and a caller's token."""
    service = Service(settings, os.environ, gate=Gate(), notify=lambda: None)
    try:
        await service.open()
        issued = await service.tokens.issue("caller", "client", TokenTerms(), None)
        async with serve(create_app(service, TOKEN)) as url:
            yield url, issued.secret.get_secret_value()
    finally:
        await service.close()


async def answers(settings: Settings) -> tuple[list[str], str]:
    """What a router says to callers of the model, and to the operator; and the token of those callers."""
    said = []
    async with router(settings) as (url, token), httpx2.AsyncClient(base_url=url, timeout=20) as http:
        mine, wrong = {"authorization": f"Bearer {token}"}, {"authorization": f"Bearer {IN_STORE}"}
        for stream, headers in itertools.product((True, False), (mine, wrong, {"x-api-key": token}, {})):
            for more in ({}, {"model": "acme/nothing"}, {"model": IN_STORE}, {"model": f"acme/{token}"}):
                body = {**chat_body("acme/small", stream=stream), **more}
                came = await http.post("/v1/chat/completions", json=body, headers=headers)
                said.append(f"{came.status_code} {came.headers} {came.text}")
        admin = {"authorization": f"Bearer {TOKEN}"}
        for path in ("providers", "keys", "discoveries", "stats", "conflicts", "providers/acme/dossier", "sdks/acme"):
            said.append((await http.get(f"/api/{path}", headers=admin)).text)
        for path, body in mistakes(token):
            refused = await http.post(f"/api/{path}", headers=admin, json=body)
            assert refused.status_code >= 400, refused.text
            said.append(refused.text)
        said += [(await http.get("/api/tokens", headers=admin)).text, (await http.get("/health")).text]
    return said, token


def mistakes(token: str) -> list[tuple[str, dict[str, Any]]]:
    """Bodies with a secret in the wrong place: each is refused."""
    return [
        ("discover", {"identifier": IN_STORE}),
        ("discover", {"identifier": f"acme/{token}"}),
        ("discover", {"identifier": "acme/small", "base_url": f"https://me:{IN_STORE}@acme.test/v1"}),
        ("keys/add", {"provider": IN_STORE, "api_key": "sk-x"}),
        ("keys/add", {"provider": "acme", "api_key": f"{IN_CONFIG} {IN_STORE}"}),
        ("keys/disable", {"provider": "acme", "key": IN_STORE}),
        ("tokens", {"name": token, "role": IN_STORE}),
        ("keys/rotate-master", {"new_key": f"{MASTER} {IN_STORE}"}),
    ]


@pytest.mark.parametrize("works", [True, False], ids=["a provider that works", "a provider that refuses"])
def test_no_canary_comes_out_anywhere(
    works: bool,
    bench: Bench,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    parrot = Parrot(works=works)
    with caplog.at_level(logging.DEBUG), serve_in_thread(parrot) as origin, scripted(proposal()) as model:
        artifact = asyncio.run(discovered(f"{origin}/v1", model.url))
        said, token = asyncio.run(answers(settings))
    assert parrot.keys & {IN_STORE, IN_CONFIG, IN_VARIABLE}  # The keys were really sent, and quoted.
    assert works is ("Level **live**" in artifact)
    assert works is (settings.generation.path / "acme.py").exists()
    assert works is (not model.prompts)
    (told,) = discoveries.recent(bench.database)
    texts = [artifact, *said, *model.prompts, told.model_dump_json(), shown(settings, monkeypatch), caplog.text]
    assert [(text, canary) for text in texts for canary in (*CANARIES, token) if canary in text] == []
    assert found_in(tmp_path, token) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text(f"x{IN_STORE}y")
    assert found_in(tmp_path) == [(tmp_path / "below" / "file", IN_STORE)]
