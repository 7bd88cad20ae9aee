"""What every test may use: settings in a folder of its own, a free port, and no environment of the developer's."""

import os
import socket
from pathlib import Path

import pytest

from modelscan.settings import Settings


@pytest.fixture(autouse=True)
def no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take MODELSCAN_* away, but for what names the tests' own material."""
    for name in os.environ:
        if name.startswith("MODELSCAN_") and name != "MODELSCAN_CORPUS":
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults, with the data directory and the generated folder in this test's own folder, and free ports."""
    return Settings.model_validate(
        {
            "data_dir": tmp_path / "data",
            "generation": {"path": tmp_path / "generated"},
            "server": {"port": 0},
            "prefect": {"port": 0},
        }
    )


@pytest.fixture
def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
