"""One frozen Settings: defaults, then the YAML file, then `MODELSCAN_<SECTION>_<KEY>` from the environment."""

from modelscan.settings.loading import Loaded, ensure_data_dir, load
from modelscan.settings.sections import (
    DatabaseSettings,
    DiscoverySettings,
    GenerationSettings,
    PrefectSettings,
    ServerSettings,
    Settings,
)
from modelscan.settings.warning import ConfigWarning

__all__ = [
    "ConfigWarning",
    "DatabaseSettings",
    "DiscoverySettings",
    "GenerationSettings",
    "Loaded",
    "PrefectSettings",
    "ServerSettings",
    "Settings",
    "ensure_data_dir",
    "load",
]
