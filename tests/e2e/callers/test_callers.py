"""Other people's clients, with no change but base URL and key: plain, streamed, tools and errors, in both protocols."""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from modelscan.reference import create_reference
from modelscan.settings import Settings
from modelscan.types import Auth
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES
from tests.e2e import smollm2
from tests.places import settings_in
from tests.router_app.peers import Scripted
from tests.router_app.routers import a_spec, routed
from tests.router_app.test_messages import messages_spec

pytestmark = [pytest.mark.peer]

SCRIPTS = Path(__file__).parent / "scripts"
PYTHON = smollm2.PEER / "clients-venv" / "bin" / "python"
ECHO = ("acme/echo", "claudia/echo")
"""The reference provider, as OpenAI's and as Anthropic's."""
REAL = ("smol/smollm2", "smollette/smollm2")
"""llama.cpp with SmolLM2, likewise."""
BUSY = b'{"error": {"message": "Enough for now.", "type": "rate_limit_error", "code": "busy"}}'
SECONDS = 120
WAYS = {
    "with_openai.py": ("chat", "responses"),
    "with_anthropic.py": ("messages", "messages by token"),
    "with_langchain.py": ("chat", "responses"),
    "with_pydantic_ai.py": ("chat", "responses", "messages"),
    "with_instructor.py": ("by tool", "by schema"),
    "with_litellm.py": ("chat", "messages"),
    "with_llm.py": ("chat",),
    "with_openai.mjs": ("chat", "responses"),
    "with_anthropic.mjs": ("messages",),
    "with_vercel.mjs": ("chat", "responses", "compatible", "messages"),
}
UNKNOWN = {"with_vercel.mjs": "AI_APICallError", "with_pydantic_ai.py": "ModelHTTPError"}
"""The error for a name that nobody serves, where the client has one class for all."""
EACH_WAY = [(script, way) for script, ways in WAYS.items() for way in ways]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("callers")


@pytest.fixture(scope="module")
def real() -> Iterator[str]:
    """The real model's base URL; empty where it could not be had."""
    with _served_or_not() as url:
        yield url


@contextmanager
def _served_or_not() -> Iterator[str]:
    try:
        serving = smollm2.served()
        url = serving.__enter__()
    except pytest.skip.Exception:
        yield ""
        return
    try:
        yield url
    finally:
        serving.__exit__(None, None, None)


@pytest.fixture(scope="module")
def told(home: Path, real: str) -> Any:
    """What a script tells; each runs once for all tests."""

    @cache
    def run(script: str) -> dict[str, Any]:
        return asyncio.run(_told(script, settings_in(home / script, retries=0), real))

    return run


def _command(script: str) -> tuple[list[str], Path]:
    """How it is run, and where; skips where the client could not be had."""
    if script.endswith(".mjs"):
        if shutil.which("node") is None or not (smollm2.PEER / "node_modules" / "ai").exists():
            pytest.skip("Node or its clients could not be had (.ci/run fetches them into .work)")
        return ["node", str(SCRIPTS / script)], smollm2.PEER
    if script in ("with_openai.py", "with_anthropic.py"):
        return [sys.executable, str(SCRIPTS / script)], SCRIPTS
    if not PYTHON.exists():
        pytest.skip("the Python clients could not be had (.ci/run fetches them into .work)")
    return [str(PYTHON), str(SCRIPTS / script)], SCRIPTS


async def _told(script: str, settings: Settings, real: str) -> dict[str, Any]:
    command, folder = _command(script)
    peers: dict[str, ASGIApp] = {
        "acme": create_reference(models=("echo",)),
        "claudia": create_reference(protocol="anthropic_messages", models=("echo",)),
        "busy": Scripted([BUSY], 429, headers=[(b"retry-after", b"7")]),
    }
    keys = {"smol": [smollm2.KEY], "smollette": [smollm2.KEY]}
    settings = Settings.model_validate({**settings.model_dump(), "api_keys": keys})
    dressed: dict[str, Any] = {"models": ("smollm2",), "auth": Auth()}
    messages: dict[str, Any] = {"protocol": "anthropic_messages", "endpoints": ANTHROPIC_MESSAGES.endpoints}

    async with routed(
        settings,
        peers=peers,
        specs=lambda origins: [
            a_spec(f"{origins['acme']}/v1"),
            messages_spec(origins["claudia"]),
            a_spec(f"{origins['busy']}/v1", "busy"),
            *([a_spec(real, "smol", **dressed)] if real else []),
            *([a_spec(real.removesuffix("/v1"), "smollette", **dressed, **messages)] if real else []),
        ],
    ) as router:
        terms = {"concurrency": 9, "tpm": 10**9, "monthly_tokens": 10**9}
        issued = (await router.admin("POST", "/tokens", json={"name": "caller", "terms": terms})).json()
        asked = {
            "url": router.url,
            "key": issued["token"],
            "models": {**dict.fromkeys(ECHO, 50), **(dict.fromkeys(REAL, 4) if real else {})},
            "tools": ECHO,
            "errors": ["busy/echo", "nobody/none"],
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(SECONDS):
                said, wrong = await process.communicate(json.dumps(asked).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, wrong.decode()[-2000:]
        found: dict[str, Any] = json.loads(said)
        return found


@pytest.mark.parametrize(("script", "way"), EACH_WAY)
@pytest.mark.parametrize("model", ECHO)
def test_it_asks_plainly_by_stream_and_with_tools(told: Any, script: str, way: str, model: str) -> None:
    found = told(script)
    plain, streamed, tools = (found[f"{way} {model} {kind}"] for kind in ("plain", "streamed", "tools"))
    assert (plain["text"], plain["usage"]) == ("one two three", [3, 3]), plain
    assert (streamed["pieces"], streamed.get("usage", [3, 3])) == (["one", " two", " three"], [3, 3]), streamed
    assert (tools["calls"], tools["text"]) == ([["weather", {"city": "example"}]], "sunny"), tools


@pytest.mark.parametrize(("script", "way"), EACH_WAY)
def test_it_reads_errors_as_its_own(told: Any, script: str, way: str) -> None:
    found = told(script)
    limited, unknown = (found[f"{way} {model} error"] for model in ("busy/echo", "nobody/none"))
    assert (limited["status"], "Enough for now." in limited["message"]) == (429, True), limited
    assert UNKNOWN.get(script, "RateLimitError") in limited["error"], limited
    assert (unknown["status"], "No model 'nobody/none' is served" in unknown["message"]) == (404, True), unknown
    assert (UNKNOWN.get(script) or "NotFoundError") in unknown["error"], unknown


@pytest.mark.parametrize(("script", "way"), EACH_WAY)
@pytest.mark.parametrize("model", REAL)
def test_it_asks_a_real_model(told: Any, real: str, script: str, way: str, model: str) -> None:
    if not real:
        pytest.skip("the SmolLM2 model or xllamacpp could not be had (.ci/run fetches them into .work)")
    found = told(script)
    plain, streamed = found[f"{way} {model} plain"], found[f"{way} {model} streamed"]
    assert plain["text"].strip(), plain
    assert 0 < plain["usage"][1] <= 4, plain
    assert plain["usage"][0] > 0, plain  # Anthropic's count leaves out what was in the cache.
    assert "error" not in streamed, streamed
    assert "".join(streamed["pieces"]).strip(), streamed
    assert streamed.get("usage", [4, 1])[1] > 0, streamed
