"""One frozen Settings: defaults, then the YAML file, then `MODELSCAN_<SECTION>_<KEY>` from the environment."""

from modelscan.settings.loading import Loaded, ensure_data_dir, load
from modelscan.settings.rules import BALANCES, Balance, RoutingRule, RoutingTarget
from modelscan.settings.sections import (
    NO_SCHEDULE,
    DatabaseSettings,
    DiscoverySettings,
    DriftPolicy,
    DriftSettings,
    GenerationSettings,
    HealthSettings,
    KeySettings,
    PrefectSettings,
    RedisSettings,
    RoutingSettings,
    RunnerSettings,
    ScheduleSettings,
    ServerSettings,
    Settings,
    UsageSettings,
    VersionSettings,
)
from modelscan.settings.warning import ConfigWarning

__all__ = [
    "BALANCES",
    "Balance",
    "ConfigWarning",
    "DatabaseSettings",
    "DiscoverySettings",
    "DriftPolicy",
    "DriftSettings",
    "GenerationSettings",
    "HealthSettings",
    "KeySettings",
    "Loaded",
    "NO_SCHEDULE",
    "PrefectSettings",
    "RedisSettings",
    "RoutingRule",
    "RoutingSettings",
    "RoutingTarget",
    "RunnerSettings",
    "ScheduleSettings",
    "ServerSettings",
    "Settings",
    "UsageSettings",
    "VersionSettings",
    "ensure_data_dir",
    "load",
]
