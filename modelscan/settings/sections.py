"""The settings themselves, one frozen model a section of the file, with their defaults."""

from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from modelscan.settings.rules import RoutingRule

__all__ = [
    "DatabaseSettings",
    "DiscoverySettings",
    "DriftPolicy",
    "DriftSettings",
    "GenerationSettings",
    "HealthSettings",
    "KeySettings",
    "NO_SCHEDULE",
    "PrefectSettings",
    "RedisSettings",
    "RoutingSettings",
    "RunnerSettings",
    "ScheduleSettings",
    "ServerSettings",
    "Settings",
    "UsageSettings",
    "VersionSettings",
]

NO_SCHEDULE = "off"
"""A schedule that is none: a variable cannot be empty."""


_CRON = r"^(off|@(hourly|daily|weekly|monthly)|([0-9A-Za-z*/,#-]+ +){4}[0-9A-Za-z*/,#-]+)$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """`database:`"""

    path: Path = Path("modelscan.duckdb")
    """The catalogue's file; a relative path is taken from the data directory."""
    wait_seconds: float = Field(default=30.0, gt=0)
    """How long to wait for another process that holds the file."""
    history_days: int = Field(default=366, ge=32, le=36_500)
    """How long changes, their feed, activations and changes of health are kept; longer than any letter is sent."""


class ServerSettings(_Section):
    """`server:`"""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    """0 takes a free port."""
    open: bool = False
    """Whether it may be reached from elsewhere, and asked by any name, while no client token was issued."""
    drain_seconds: float = Field(default=30.0, ge=0)
    """How long running requests may take to finish at the end or at a restart."""


class DiscoverySettings(_Section):
    """`discovery:`"""

    agent_model: str = "claude-sonnet-4-5"
    """Anthropic's model that is asked where rules do not suffice."""
    agent_fallback_model: str = "gpt-5-mini"
    """OpenAI's, where Anthropic's cannot be asked."""
    agent_base_url: str = Field(default="", pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$")
    """An OpenAI-compatible server of the operator's choice, asked before both."""
    agent_base_model: str = ""
    """The model there; empty: the same name as `agent_model`."""
    agent_api_key: SecretStr = Field(default=SecretStr(""), repr=False)
    """The key of that server; a local one may need none."""
    agent_timeout_seconds: float = Field(default=30.0, gt=0)
    """For one answer of a language model."""
    agent_max_tokens: int = Field(default=4096, ge=64, le=32_768)
    """Of one answer."""
    agent_prompt_chars: int = Field(default=48_000, ge=2_000, le=400_000)
    """Of one question; what the records say beyond is cut."""
    max_cost_usd: Decimal = Field(default=Decimal("0.50"), ge=0)
    """What the language models of one discovery may cost; 0: none is asked."""
    activation: Literal["automatic", "approve"] = "automatic"
    """Whether what was proved is published at once, or waits for the operator's word."""
    parallel_batch: int = Field(default=5, ge=1, le=64)
    """How many sources are asked at once."""
    cache_days: float = Field(default=7.0, ge=0)
    """How long a source's answer is used again."""
    models_dev_url: str = "https://models.dev/api.json"
    genai_prices_url: str = (
        "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json"
    )
    huggingface_url: str = "https://huggingface.co"
    huggingface_router_url: str = "https://router.huggingface.co/v1"
    modelscope_url: str = "https://modelscope.cn"
    modelscope_inference_url: str = "https://api-inference.modelscope.cn/v1"
    gpustack_catalogue_url: str = (
        "https://raw.githubusercontent.com/gpustack/gpustack/refs/heads/main/gpustack/assets/model-catalog.yaml"
    )
    allowed_private_hosts: tuple[str, ...] = ()
    """Private or loopback hosts that a source (not only the operator) may name."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    """For one request to a source."""
    run_seconds: float = Field(default=120.0, gt=0)
    """For one whole discovery."""
    retention_days: int = Field(default=90, ge=1, le=36_500)
    """How long runs are kept that led to no version, and answers of sources that were superseded."""


class GenerationSettings(_Section):
    """`generation:`"""

    path: Path = Path("generated")
    """Where clients are published; a relative path is taken from the working directory."""


class HealthSettings(_Section):
    """`health:`"""

    window_seconds: float = Field(default=300.0, ge=10, le=86_400)
    """Of how many seconds the requests of callers count."""
    min_requests: int = Field(default=5, ge=1)
    """Fewer requests, of which one failed, do not tell how a provider is."""
    degraded_share: float = Field(default=0.1, gt=0, le=1)
    """Of the requests that failed by the provider's fault; below half of it the provider is up again."""
    down_share: float = Field(default=0.5, gt=0, le=1)
    """Likewise, of those that no caller can provoke."""
    slow_seconds: float = Field(default=60.0, gt=0)
    """To the first byte, the median: from there on a provider is degraded."""
    probe_seconds: float = Field(default=300.0, ge=0)
    """How often a provider without requests is asked by calls that cost nothing, a fifth of it while it is not up;
    0: never."""
    chat_seconds: float = Field(default=3600.0, gt=0)
    """How often such a provider is sent a chat, where `max_cost_usd_per_day` allows it."""
    max_cost_usd_per_day: Decimal = Field(default=Decimal(0), ge=0)
    """What those chats may cost in all, a day of UTC; 0: none is sent."""


class KeySettings(_Section):
    """`key_pool:`"""

    cooldown_seconds: float = Field(default=900.0, gt=0, le=86_400)
    """How long a key rests after a 429 whose answer does not say how long."""


class PrefectSettings(_Section):
    """`prefect:` (the port only where PREFECT_API_URL names no server)"""

    port: int = Field(default=4200, ge=0, le=65535)
    """The port of the Prefect API and UI beside the router; taken by another program, or 0: a free one."""
    retention_days: int = Field(default=30, ge=1, le=36_500)
    """How long flow runs are kept, with their logs, artifacts and events."""


class RunnerSettings(_Section):
    """`runner:`"""

    parallel_runs: int = Field(default=4, ge=0, le=64)
    """How many flow runs are executed at once beside the router; 0: none, workers elsewhere do."""
    memory_mb: int = Field(default=2048, ge=256, le=1_048_576)
    """MiB that one run may write to, of which some 100 are shared with the others."""
    catalogue_seconds: float = Field(default=3600.0, gt=0)
    """For one run over the whole catalogue; a discovery has `discovery.run_seconds`."""


class ScheduleSettings(_Section):
    """`schedules:` (cron expressions in UTC; `off` or empty: on demand alone)"""

    rediscover_catalog: str = Field(default="17 3 * * *", pattern=_CRON)
    """When every known provider is asked again."""
    refresh_prices: str = Field(default="41 */6 * * *", pattern=_CRON)
    """When prices are fetched."""
    verify_clients: str = Field(default="29 4 * * 0", pattern=_CRON)
    """When published clients are proved anew."""
    maintain: str = Field(default="53 2 * * *", pattern=_CRON)
    """When old rows, files and flow runs are removed."""

    @field_validator("*", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        """YAML reads a bare `off` as false, and nothing as null."""
        return NO_SCHEDULE if value in (None, False, "") else value


DriftPolicy = Literal["apply", "hold", "ignore"]
"""`apply`: it takes effect. `hold`: it waits for the operator's word. `ignore`: it is kept, and nothing follows."""


class DriftSettings(_Section):
    """`drift:` (what becomes of changes, by their kind; which answers of sources look broken; who is told)"""

    price: DriftPolicy = "apply"
    limit: DriftPolicy = "apply"
    models: DriftPolicy = "apply"
    base_url: DriftPolicy = "hold"
    auth: DriftPolicy = "hold"
    protocol: DriftPolicy = "hold"
    behaviour: DriftPolicy = "hold"
    source: DriftPolicy = "hold"
    most_lost: float = Field(default=0.5, gt=0, le=1)
    """The share of its providers, or models, that a source may lose from one answer to the next."""
    most_fields_lost: float = Field(default=0.5, gt=0, le=1)
    """The share of the rows with a field that may lose it from one answer to the next."""
    webhook_url: str = Field(default="", pattern=r"^(https?://[^\s/?#@]+(/[^\s#]*)?)?$", repr=False)
    """Where changes are sent; empty: nowhere."""
    webhook_secret: SecretStr = Field(default=SecretStr(""), repr=False)
    """What they are signed with, `whsec_` and base64; empty: one is made and kept in the data directory."""
    webhook_hours: float = Field(default=24.0, gt=0, le=720)
    """How long it is tried again to send one."""


class RedisSettings(_Section):
    """`redis:` (used only where `url` is set; needs the extra `scale`)"""

    url: SecretStr = Field(default=SecretStr(""), repr=False)
    """Of the Redis by which several routers keep limits together; empty: each keeps its own."""
    prefix: str = Field(default="modelscan", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Before every name there; all routers of a catalogue have the same one, and nobody else."""
    timeout_seconds: float = Field(default=0.5, gt=0, le=10)
    """For one answer of Redis; where it takes longer, the router goes on without it."""
    routers: int = Field(default=1, ge=1, le=10_000)
    """How many there are at least: by that limits are shared where Redis is lost before the others were seen."""


class RoutingSettings(_Section):
    """`routing:`"""

    retries: int = Field(default=2, ge=0, le=10)
    """How often a request is sent again after a fault that may pass (408, 409, 429, 5xx, a lost connection)."""
    retry_seconds: float = Field(default=0.25, gt=0)
    """How long is waited before the first time; doubled each time, and jittered. Retry-After goes before it."""
    longest_retry_seconds: float = Field(default=5.0, ge=0)
    """A provider that wants more is not waited for: the caller is told, with its Retry-After."""
    connect_seconds: float = Field(default=10.0, gt=0)
    """For a connection to a provider, its name's look-up and TLS included."""
    first_byte_seconds: float = Field(default=600.0, gt=0)
    """From a request to the first byte of its answer's body: models that reason think for minutes."""
    idle_seconds: float = Field(default=300.0, gt=0)
    """Between two pieces of an answer."""
    total_seconds: float = Field(default=1800.0, gt=0)
    """For a request in all: every provider that is tried, every wait, and the answer."""
    circuit_faults: int = Field(default=5, ge=0, le=1000)
    """How often in a row a provider is down (502, 503, 504, 529, no connection) until it is left alone; 0: never."""
    circuit_seconds: float = Field(default=15.0, gt=0)
    """For how long, doubled each time in a row, up to 16 times; then one request tries it."""
    rules: tuple[RoutingRule, ...] = ()
    """Where requests for a name go; those of `modelscan routes` count beside them."""


class UsageSettings(_Section):
    """`usage:`"""

    retention_days: int = Field(default=35, ge=32, le=36_500)
    """How long each request's row is kept; budgets by the month need the whole of it."""
    hourly_days: int = Field(default=100, ge=1, le=36_500)
    """How long usage is kept by the hour."""
    daily_days: int = Field(default=1_830, ge=1, le=36_500)
    """How long usage is kept by the day."""


class VersionSettings(_Section):
    """`versions:`"""

    keep: int = Field(default=10, ge=2, le=1000)
    """Of how many versions a provider's files are kept, the newest ones; those that are served or tried always are."""
    canary_share: float = Field(default=0.0, ge=0, le=1)
    """Which share of a provider's requests tries its new version first; 0: a new version is served to all at once."""
    canary_margin: float = Field(default=0.05, ge=0, le=1)
    """By how much its error rate may be above that of the version that is served."""
    canary_requests: int = Field(default=100, ge=1, le=1_000_000)
    """How many requests a version on trial is asked before it is promoted."""
    canary_minutes: float = Field(default=30.0, ge=0, le=525_600)
    """How long it is tried at least."""


class Settings(_Section):
    """All settings. `data_dir` holds the catalogue, the journal, the secrets' files and Prefect's own database."""

    data_dir: Path = Path("data")
    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()
    api_keys: dict[str, tuple[SecretStr, ...]] = Field(default={}, repr=False)
    discovery: DiscoverySettings = DiscoverySettings()
    drift: DriftSettings = DriftSettings()
    generation: GenerationSettings = GenerationSettings()
    health: HealthSettings = HealthSettings()
    key_pool: KeySettings = (
        KeySettings()
    )  # Not `keys`: dict(settings), which Prefect makes, would take it for a method.
    prefect: PrefectSettings = PrefectSettings()
    redis: RedisSettings = RedisSettings()
    routing: RoutingSettings = RoutingSettings()
    runner: RunnerSettings = RunnerSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    usage: UsageSettings = UsageSettings()
    versions: VersionSettings = VersionSettings()

    @property
    def database_path(self) -> Path:
        return self.data_dir / self.database.path

    @property
    def journal_dir(self) -> Path:
        return self.data_dir / "journal"
