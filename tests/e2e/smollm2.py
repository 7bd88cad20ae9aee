"""The real model of the stories: starts its server, or skips where the model or the server could not be had."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.service import CHECKOUT

__all__ = ["KEY", "served"]

PEER = CHECKOUT / ".work"
KEY = "sk-smollm2-0123456789"


@contextmanager
def served() -> Iterator[str]:
    """The running server's base URL; it wants KEY."""
    python, models = PEER / "peer-venv" / "bin" / "python", sorted(PEER.glob("**/*.gguf"))
    if not python.exists() or not models:
        pytest.skip("the SmolLM2 model or xllamacpp could not be had (.ci/run fetches them into .work)")
    command = [str(python), str(Path(__file__).with_name("smollm2_server.py")), str(models[0]), KEY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        address = next((line for line in server.stdout if line.startswith("listening on ")), "")
        assert address, "the model's server ended without listening"
        yield address.removeprefix("listening on ").strip() + "/v1"
        server.kill()
