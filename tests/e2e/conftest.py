"""One running service and one upstream of the tests' own for all stories."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from modelscan.reference.app import create_reference
from modelscan.reference.server import serve_in_thread
from tests.drift.receiver import SECRET, Receiver, receiving
from tests.e2e.service import Service, running
from tests.synthesis.proposing import proposal, said
from tests.synthesis.scripted_llm import ScriptedModel, scripted

KEY = "sk-acme-0123456789abcdefghijklmnop"
CANARIES = ("sk-canary-openai-4a6c8e0b2d1f", "sk-ant-canary-5b7d9f1c3e2a", "sk-canary-config-6c8e0a2d4f3b", SECRET)
"""Keys in the service's environment and in its configuration file: for a language model that is not there, for one that
is scripted, for a provider that nobody asks; and what the webhook is signed with."""


def models_dev_row(name: str, api: str) -> dict[str, Any]:
    """A provider as models.dev tells it, with one model."""
    model = {
        "id": "small",
        "name": "Small",
        "family": "small",
        "modalities": {"input": ["text"], "output": ["text"]},
        "limit": {"context": 8192, "output": 1024},
        "cost": {"input": 0.5, "output": 1.5},
    }
    return {
        "id": name,
        "name": name.title(),
        "env": [f"{name.upper()}_API_KEY"],
        "npm": "@ai-sdk/openai-compatible",
        "api": api,
        "models": {"small": model},
    }


@pytest.fixture(scope="package")
def upstream() -> Iterator[str]:
    """A provider of one's own that wants a key: its base URL."""
    with serve_in_thread(create_reference(models=("small", "large"), key=KEY)) as origin:
        yield f"{origin}/v1"


@pytest.fixture(scope="package")
def models_dev(upstream: str) -> Iterator[str]:
    """A local models.dev: `acme` is the upstream, `mystery` too but nobody says how; nobody answers at `ghost`."""
    rows = {"acme": models_dev_row("acme", upstream), "ghost": models_dev_row("ghost", "http://127.0.0.1:9/v1")}
    rows["mystery"] = models_dev_row("mystery", upstream) | {"npm": "mystery-sdk"}
    with listing(rows) as url:
        yield url


@contextmanager
def listing(rows: dict[str, Any]) -> Iterator[str]:
    """A models.dev that lists them as they are when it is asked: its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(rows).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api.json"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="package")
def language_model() -> Iterator[ScriptedModel]:
    """Proposes for `mystery` what its records say, but first an address that none does; fails for all others."""
    invented = ["https://evil.example/v1"]

    def answered(question: str) -> dict[str, Any] | int:
        ids = {source: id_ for id_, source in re.findall(r'record="(\w+)" source="([\w.-]+)"', question)}
        if "Provider: mystery\n" not in question:
            return 500
        (address,) = re.findall(r'^api: "(.*?)"', question, re.MULTILINE)
        url = invented.pop() if invented else address
        return proposal(protocol=said("openai_chat", ids["provider"]), base_url=said(url, ids["models.dev"]))

    with scripted(answered) as model:
        yield model


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    """The operator's webhook, which is told what changed."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def service(
    models_dev: str, language_model: ScriptedModel, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """`modelscan serve`, already asked for demo/echo while Prefect was still starting."""
    env = {
        "MODELSCAN_DISCOVERY_MODELS_DEV_URL": models_dev,
        "MODELSCAN_DISCOVERY_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        "MODELSCAN_DRIFT_WEBHOOK_URL": receiver.url,
        "MODELSCAN_DRIFT_WEBHOOK_SECRET": SECRET,
        "PREFECT_LOGGING_LEVEL": "DEBUG",  # All that runs can tell is told, and still no secret is.
        "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
        "OPENAI_API_KEY": CANARIES[0],
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "ANTHROPIC_API_KEY": CANARIES[1],
        "ANTHROPIC_BASE_URL": language_model.url,
    }
    home = tmp_path_factory.mktemp("home")
    (home / "config.yaml").write_text(f"api_keys:\n  canary: [{CANARIES[2]}]\n")
    with running(home, **env) as service:
        yield service
