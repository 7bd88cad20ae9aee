"""What every test may use: settings in a folder of its own, a free port; and nothing of the developer's or outside."""

import os
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from httpx2._transports import default as transports
from hypothesis import settings as property_settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from modelscan.redaction import redact
from modelscan.settings import Settings
from tests.places import settings_in

# How long one example takes is the machine's affair: on a busy one a right answer may come late.
property_settings.register_profile("modelscan", deadline=None)
property_settings.load_profile("modelscan")
# Each client reads the trusted certificates, which takes 25 ms: the thousands of the tests share what was read once.
transports.create_ssl_context = cache(transports.create_ssl_context)  # type: ignore[attr-defined]
LOOPBACK = (None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0")


_STORIES = Path(__file__).parent / "e2e"
_ASKING = {path.name for path in _STORIES.glob("test_*.py") if "service: Service" in path.read_text()}
"""The files whose tests ask the one running service."""


class _ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist tells no types
    """A file stays whole; those that ask the service stay together, for there is one of it, not one a process."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return "service" if scope.startswith("tests/e2e/") and scope.rpartition("/")[2] in _ASKING else scope


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """How the tests are shared out among the processes."""
    return _ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what waits for other processes, so that the short ones fill the other cores meanwhile."""
    items.sort(key=lambda item: (_STORIES not in item.path.parents, item.path.name not in _ASKING))


@pytest.fixture(autouse=True)
def no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take MODELSCAN_* away, but for what names the tests' own material, and every key for a language model."""
    for name in os.environ:
        if name.startswith(("MODELSCAN_", "ANTHROPIC_", "OPENAI_")) and name != "MODELSCAN_CORPUS":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process's redactor forget what it is told in a test: the next may use the same text as a name."""
    monkeypatch.setattr(redact, "_known", redact._known)
    monkeypatch.setattr(redact, "_pattern", redact._pattern)


@pytest.fixture(autouse=True)
def no_name_of_the_outside_is_resolved(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test that asks for one, also where what it tests takes the failure for a gap."""
    asked: list[object] = []
    resolve = socket.getaddrinfo

    def guarded(host: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        # No resolver is asked for such a long label, nor for an address in one of its spellings.
        if name in LOOPBACK or max(map(len, name.split("."))) > 63 or is_address(name):
            return resolve(host, *more, **named)
        if not name.endswith(".invalid"):  # Reserved: it never has an address.
            asked.append(name)
        raise socket.gaierror(f"a test asked for {host!r}")

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
    yield
    assert asked == []


def is_address(name: str) -> bool:
    """Whether it is an IPv4 address, as in `0x7f.1`, or an IPv6 one."""
    try:
        socket.inet_aton(name)
    except OSError:
        return ":" in name
    return True


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults, with the data directory and the generated folder in this test's own folder, and free ports."""
    return settings_in(tmp_path)


@pytest.fixture
def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
