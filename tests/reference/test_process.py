"""`python -m modelscan.reference`: the reference provider as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import httpx2

from tests.codegen.golden import DUNES


@contextmanager
def started(*arguments: str, key: str = "") -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The base URL it says it listens on, and the process."""
    command = [sys.executable, "-m", "modelscan.reference", *arguments]
    with subprocess.Popen(
        command,
        env={**os.environ, **({"REFERENCE_KEY": key} if key else {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield said(process.stdout).removeprefix("listening on "), process
        process.terminate()


def said(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def test_it_serves_what_it_is_told_and_ends_with_its_stdin() -> None:
    arguments = ("--models-json", '["a,b", "c"]', "--until-stdin-closes", "--base-path", "/api")
    with started(*arguments, key="k") as (base_url, process):
        assert base_url.endswith("/api")
        answer = httpx2.get(f"{base_url}/models", headers={"authorization": "Bearer k"})
        assert [model["id"] for model in answer.json()["data"]] == ["a,b", "c"]
        assert httpx2.get(f"{base_url}/models").status_code == 401
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_names_may_be_given_with_commas_between_and_a_header_of_their_own(free_port: int) -> None:
    arguments = ("--models", "a,b", "--port", str(free_port), "--auth-header", "x-api-key", "--auth-scheme=")
    with started(*arguments, key="k") as (base_url, process):
        assert base_url == f"http://127.0.0.1:{free_port}/v1"
        answer = httpx2.get(f"{base_url}/models", headers={"x-api-key": "k"})
        assert [model["id"] for model in answer.json()["data"]] == ["a", "b"]
        process.terminate()
        assert process.wait(20) in (0, -signal.SIGTERM)


def test_it_speaks_as_a_mapping_says_that_it_is_given() -> None:
    given = {
        "rest": DUNES.model_dump(mode="json"),
        "endpoints": [{"operation": "chat", "method": "POST", "path": "/x"}],
    }
    with started("--rest-json", json.dumps(given), "--until-stdin-closes") as (base_url, process):
        asked = {"to": {"model": "echo"}, "talk": [{"from": "guest", "body": {"parts": [{"text": "hi"}]}}]}
        answer = httpx2.post(f"{base_url}/x", json=asked)
        assert answer.json()["out"][1]["said"] == [{"text": "hi"}]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
