"""By its base URL alone: servers of other people that stand in for many providers, found, proved, or refused."""

import asyncio
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from modelscan.codegen.render import render_client, render_test
from modelscan.errors import DiscoveryFailed
from modelscan.reference.server import listen
from modelscan.settings import DiscoverySettings
from modelscan.sources import SourceRequest
from modelscan.sources.gather import gather
from modelscan.sources.http import host_port, open_client
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import propose
from modelscan.types import Identifier, Level, RestMapping
from modelscan.validation.repair import Repaired, repair
from modelscan.validation.runner import validate
from modelscan.validation.sandbox import Sandbox
from modelscan.wire.mappings import COHERE_V2, GEMINI_GENERATE_CONTENT, OLLAMA_CHAT

pytestmark = pytest.mark.peer
WORK = Path(__file__).resolve().parents[2] / ".work"
NO_LISTS = DiscoverySettings(
    models_dev_url="http://127.0.0.1:1/api.json", genai_prices_url="http://127.0.0.1:1/data.json"
)
SAID = '{"fixtures": [{"match": {"userMessage": "Say hello"}, "response": {"content": "Hello, how are you today?"}}]}'


@contextmanager
def running(command: Sequence[str], ready: str) -> Iterator[str]:
    """The origin of a server that is told its port by `-p`, once `ready` is answered below it."""
    if not Path(command[0]).exists():
        pytest.skip(f"{Path(command[0]).name} could not be had (.ci/run fetches it into .work)")
    with listen() as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [*command, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=WORK
    ) as server:
        origin = f"http://127.0.0.1:{port}"
        try:
            with httpx2.Client(transport=httpx2.HTTPTransport(retries=8)) as http:
                http.get(origin + ready, timeout=30).raise_for_status()
            yield origin
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def llmock() -> Iterator[str]:
    """Ten providers' protocols, each below a prefix."""
    with running([str(WORK / "peer-venv/bin/llmock"), "serve", "--log-level", "critical"], "/health") as origin:
        yield origin


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Many protocols at one address, told what to answer."""
    said = tmp_path_factory.mktemp("aimock")
    (said / "hello.json").write_text(SAID)
    command = [str(WORK / "node_modules/.bin/llmock"), "-f", str(said), "--log-level", "silent"]
    with running(command, "/v1/models") as origin:
        yield origin


def discovered(base_url: str, sandbox: Sandbox, model: str | None = None) -> Repaired:
    """All of a discovery but the flow around it and the publication after it."""

    async def run() -> Repaired:
        async with open_client(allowed_private=[host_port(base_url)], timeout=5) as http:
            identifier = Identifier(provider="peer", model=model)
            request = SourceRequest(identifier, http, NO_LISTS, base_url=base_url, operator_named=True)
            scrapes = await gather(request)
            records = tuple(one.record for one in scrapes if one.record)
            evidence = Evidence(identifier=identifier, records=records)
            return await repair(
                lambda attempts: propose(evidence, attempts),
                lambda spec: (render_client(spec, records), render_test(spec)),
                lambda spec, *sources: validate(spec, *sources, sandbox=sandbox, key=None, http=http, reach=True),
                on_attempt=lambda _: None,
            )

    return asyncio.run(run())


@pytest.mark.parametrize("prefix", ["", "/groq/openai", "/mistral", "/perplexity", "/together", "/xai", "/ai21"])
def test_an_openai_protocol_is_found_below_any_prefix(llmock: str, prefix: str, sandbox: Sandbox) -> None:
    found = discovered(f"{llmock}{prefix}", sandbox)
    assert (found.spec.protocol, found.spec.base_url) == ("openai_chat", f"{llmock}{prefix}/v1")
    assert found.report.level is Level.LIVE


@pytest.mark.parametrize("path", ["/anthropic", "/anthropic/v1"])
def test_anthropics_protocol_is_told_from_openais(llmock: str, path: str, sandbox: Sandbox) -> None:
    found = discovered(llmock + path, sandbox)
    assert (found.spec.protocol, found.spec.base_url) == ("anthropic_messages", f"{llmock}/anthropic")
    assert found.report.level is Level.LIVE


@pytest.mark.parametrize("path", ["/gemini", "/gemini/v1beta"])
def test_geminis_way_is_found_and_proved(llmock: str, path: str, sandbox: Sandbox) -> None:
    found = discovered(llmock + path, sandbox)
    assert (found.spec.protocol, found.spec.base_url) == ("custom_rest", f"{llmock}/gemini")
    assert found.spec.rest == GEMINI_GENERATE_CONTENT
    assert "gemini-2.5-pro" in [model.id for model in found.spec.models]
    assert found.report.level is Level.LIVE


@pytest.mark.parametrize("path", ["/cohere", "/cohere/v2", "/cohere/v2/chat"])
def test_coheres_way_is_found_where_a_model_is_named_as_it_lists_none_there(
    llmock: str, path: str, sandbox: Sandbox
) -> None:
    found = discovered(llmock + path, sandbox, "command-r")
    assert (found.spec.rest, found.spec.base_url) == (COHERE_V2, f"{llmock}/cohere")
    assert found.report.level is Level.LIVE


@pytest.mark.parametrize(("path", "mapping"), [("/api/chat", OLLAMA_CHAT), ("/v2/chat", COHERE_V2)])
def test_the_place_of_a_chat_says_which_of_many_protocols_is_meant(
    aimock: str, path: str, mapping: RestMapping, sandbox: Sandbox
) -> None:
    found = discovered(aimock + path, sandbox, "gpt-4o")
    assert (found.spec.rest, found.spec.base_url) == (mapping, aimock)
    assert found.report.level is Level.LIVE


@pytest.mark.parametrize("prefix", ["/cohere/v2", "/nothing"])
def test_what_cannot_be_found_out_is_said(llmock: str, prefix: str, sandbox: Sandbox) -> None:
    with pytest.raises(DiscoveryFailed, match=r"Not enough evidence|No client"):
        discovered(f"{llmock}{prefix}", sandbox)


def test_a_server_that_knows_neither_a_model_nor_a_list_at_the_place_of_one_protocol_is_refused(
    aimock: str, sandbox: Sandbox
) -> None:
    with pytest.raises(DiscoveryFailed, match="No client"):
        discovered(f"{aimock}/v1beta", sandbox, "gpt-4o")


@pytest.mark.parametrize("path", ["", "/v1"])
def test_a_server_of_many_protocols_is_taken_as_an_openai_one(aimock: str, path: str, sandbox: Sandbox) -> None:
    found = discovered(aimock + path, sandbox)
    assert (found.spec.protocol, found.spec.base_url) == ("openai_chat", f"{aimock}/v1")
    assert found.report.level is Level.LIVE
