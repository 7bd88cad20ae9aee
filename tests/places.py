"""Where a test's own service lives: in a folder of its own, with free ports, and nothing outside to ask."""

from pathlib import Path

from modelscan.settings import Settings
from tests.nowhere import NOWHERE

__all__ = ["settings_in"]


def settings_in(folder: Path, **routing: object) -> Settings:
    """Defaults, with the data directory and the generated folder in `folder`, free ports, and short waits."""
    return Settings.model_validate(
        {
            "data_dir": folder / "data",
            "generation": {"path": folder / "generated"},
            "server": {"port": 0},
            "prefect": {"port": 0},
            "discovery": NOWHERE,
            "routing": {"retry_seconds": 0.001, "longest_retry_seconds": 0.5, **routing},
        }
    )
