"""The vocabulary: every noun that ModelScan's layers pass to each other, frozen and free of I/O."""

import hashlib
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from modelscan.errors import InvalidIdentifier

__all__ = [
    "ApiKey",
    "Attempt",
    "Auth",
    "CaseResult",
    "ClientSpec",
    "Discovery",
    "DiscoveryError",
    "DiscoveryState",
    "DiscoveryStep",
    "Endpoint",
    "Fact",
    "Frozen",
    "Identifier",
    "Level",
    "Model",
    "ModelId",
    "Price",
    "Provider",
    "ProviderId",
    "SdkVersion",
    "SourceGap",
    "SourceRecord",
    "UsageEvent",
    "ValidationReport",
    "canonical_json",
    "digest_of",
    "utc_now",
]

_PROVIDER = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_MODEL_LENGTH = 256


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces, the form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """The SHA-256 of `value`'s canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def _provider_id(text: str) -> str:
    if not _PROVIDER.fullmatch(text):
        raise ValueError("a provider id is 1-64 of a-z 0-9 . _ - and starts and ends with a letter or digit")
    return text


def _model_id(text: str) -> str:
    if not text or len(text) > _MODEL_LENGTH or not text.isprintable() or text != text.strip():
        raise ValueError(f"a model id is 1-{_MODEL_LENGTH} printable characters without spaces around it")
    return text


ProviderId = Annotated[str, AfterValidator(_provider_id)]
ModelId = Annotated[str, AfterValidator(_model_id)]


class Frozen(BaseModel):
    """The base of everything here: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Identifier(Frozen):
    """What a person types: `provider/model`, `provider:model`, or `provider` alone."""

    provider: ProviderId
    model: ModelId | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person typed. Case and spaces in the provider are forgiven; raises InvalidIdentifier."""
        provider, separator, model = _split(text.strip())
        try:
            return cls(provider=re.sub(r"[ ]+", "-", provider.strip().lower()), model=model if separator else None)
        except ValueError as error:
            raise InvalidIdentifier(
                f"{text!r} is not a model identifier: {_reason(error)}.",
                hint="Write provider/model, such as deepseek/deepseek-chat, or a provider alone.",
                identifier=text,
            ) from error

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.model else self.provider


def _split(text: str) -> tuple[str, str, str]:
    at = min((text.index(mark) for mark in "/:" if mark in text), default=len(text))
    return text[:at], text[at : at + 1], text[at + 1 :]


def _reason(error: ValueError) -> str:
    return str(error).partition("Value error, ")[2].partition(" [type=")[0] or "it has the wrong shape"


class SourceRecord(Frozen):
    """What one source answered about one subject, as evidence that facts and specifications cite."""

    id: str
    """Derived from source, subject, url and payload (not from the time), so the same answer has the same id."""
    source: str
    """The source's name: `models.dev`, `provider`, `operator`, `builtin`."""
    subject: str
    """The provider id that it speaks of."""
    url: str
    fetched_at: AwareDatetime
    sha256: str
    """Of the bytes that were answered, of which `payload` may be a part."""
    trusted: bool
    """Whether a URL in it may be contacted with a key."""
    stale: bool = False
    """Whether it is a bundled snapshot that stands in for an unreachable source."""
    note: str = ""
    payload: JsonValue = Field(repr=False)

    @classmethod
    def of(cls, *, source: str, subject: str, url: str, payload: JsonValue, trusted: bool, **more: Any) -> Self:
        """Make a record; `id`, and `sha256` and `fetched_at` where not given, are worked out."""
        more.setdefault("fetched_at", utc_now())
        more.setdefault("sha256", digest_of(payload))
        identity = digest_of([source, subject, url, payload])[:16]
        return cls(id=identity, source=source, subject=subject, url=url, payload=payload, trusted=trusted, **more)


class SourceGap(Frozen):
    """A source that could not say anything, and why: shown as a gap, never fatal."""

    source: str
    kind: Literal["unreachable", "unknown", "malformed", "refused"]
    reason: str
    nearest: tuple[str, ...] = ()
    """For `unknown`: the known names nearest to what was asked."""


class Fact(Frozen):
    """One value that one record claims of one subject."""

    subject: str
    """`provider` or `provider/model`."""
    field: str
    value: JsonValue
    record: str
    confidence: float = Field(ge=0, le=1)


class Price(Frozen):
    """US dollars per million tokens. A price that no source gives is None: unknown, never 0."""

    input_mtok: Decimal | None = None
    output_mtok: Decimal | None = None
    cache_read_mtok: Decimal | None = None
    cache_write_mtok: Decimal | None = None


class Model(Frozen):
    """One model of a provider."""

    id: ModelId
    name: str | None = None
    family: str | None = None
    context_tokens: int | None = None
    output_tokens: int | None = None
    capabilities: tuple[str, ...] = ()
    """Sorted, of: attachment, reasoning, structured_output, temperature, tool_call."""
    price: Price | None = None


class Auth(Frozen):
    """How a request carries its key: `kind` none, or a header with a scheme before the key (empty for none)."""

    kind: Literal["none", "header"] = "header"
    header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = "Authorization"
    scheme: Annotated[str, Field(pattern=r"^[A-Za-z]{0,16}$")] = "Bearer"
    env: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")], ...] = ()
    """The environment variables that may hold the key, the first the usual one."""


class Endpoint(Frozen):
    """One operation and where it stands below the base URL."""

    operation: Literal["chat", "models"]
    method: Literal["GET", "POST"]
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]{1,128}$")]


class ClientSpec(Frozen):
    """All that is known of how to talk to a provider; the only input of code generation."""

    provider: ProviderId
    name: str
    protocol: str
    """A row of `modelscan.wire.WIRE_PROTOCOLS`, such as `openai_chat`."""
    base_url: str
    auth: Auth
    endpoints: tuple[Endpoint, ...]
    models: tuple[Model, ...]
    """Sorted by id, without duplicates."""
    test_model: ModelId
    """The model that validation talks to: the one asked for, else the cheapest chat model."""
    quirks: dict[str, JsonValue] = {}
    evidence: dict[str, str]
    """Field of this specification -> id of the record it rests on; one for each of CITED_FIELDS."""

    CITED_FIELDS: ClassVar[tuple[str, ...]] = ("name", "protocol", "base_url", "auth", "endpoints", "models")

    @property
    def digest(self) -> str:
        """SHA-256 over everything the specification says."""
        return digest_of(self.model_dump(mode="json"))


class Level(StrEnum):
    """What has been proved, in ascending order."""

    NONE = "none"
    STATIC = "static"
    CONTRACT = "contract"
    PROBE = "probe"
    LIVE = "live"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


class CaseResult(Frozen):
    """What one case showed at one level."""

    case: str
    """The case's id, such as `wrong_key_is_refused`."""
    level: Level
    outcome: Literal["passed", "failed", "skipped"]
    detail: str = ""
    """For a failure, what was expected and what came; for a skip, why."""
    seconds: float = 0.0


class ValidationReport(Frozen):
    """What was proved of one candidate."""

    level: Level
    """The highest level whose cases all passed."""
    why_not_higher: str = ""
    """Said in words a person can act on; empty at `live`."""
    results: tuple[CaseResult, ...] = ()

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        return tuple(result for result in self.results if result.outcome == "failed")

    @property
    def green(self) -> bool:
        """Whether nothing failed and at least the contract was proved."""
        return not self.failed and self.level.rank >= Level.CONTRACT.rank


class Attempt(Frozen):
    """One loop of proposal, generation and validation."""

    number: int = Field(ge=1, le=3)
    proposal: str
    """The hypothesis in words: base URL, auth header, protocol, and what changed since the loop before."""
    spec_digest: str
    report: ValidationReport


class DiscoveryState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class DiscoveryStep(Frozen):
    """One step of a run, as a person follows it."""

    seq: int
    name: str
    state: Literal["running", "done", "failed", "cached"]
    detail: str = ""
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None


class DiscoveryError(Frozen):
    """Why a run failed, storable; `modelscan.errors.error_from_code` gives the exception back."""

    code: str
    message: str
    hint: str = ""
    fields: dict[str, JsonValue] = {}


class Discovery(Frozen):
    """One run, from an identifier to a served client or a reasoned refusal."""

    id: str
    identifier: str
    base_url: str | None = None
    refresh: bool = False
    state: DiscoveryState = DiscoveryState.QUEUED
    created_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    steps: tuple[DiscoveryStep, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    gaps: tuple[SourceGap, ...] = ()
    level: Level | None = None
    why_not_higher: str = ""
    version: int | None = None
    generation: int | None = None
    """The registry generation in which a running router confirmed to serve it; None where no router was running."""
    flow_run_id: str | None = None
    error: DiscoveryError | None = None

    @property
    def ended(self) -> bool:
        return self.state in (DiscoveryState.SUCCEEDED, DiscoveryState.FAILED)


class Provider(Frozen):
    """A provider as the catalogue lists it."""

    id: ProviderId
    name: str
    state: Literal["candidate", "active"]
    """`candidate` until a client of it was published."""
    protocol: str | None = None
    base_url: str | None = None
    model_count: int = 0
    level: Level | None = None
    version: int | None = None


class SdkVersion(Frozen):
    """One published client."""

    provider: ProviderId
    version: int
    digest: str
    """Of the specification it was generated from."""
    path: str
    """The module's file, relative to the generated folder."""
    sha256: str
    """Of the module's bytes; the loader refuses a file that differs."""
    level: Level
    why_not_higher: str = ""
    active: bool
    published_at: AwareDatetime
    discovery_id: str | None = None


class ApiKey(Frozen):
    """An upstream key as people see it: never the key itself."""

    id: str
    """The first 16 hex digits of `sha256`."""
    provider: ProviderId
    prefix: str
    """The first characters, for recognition; at most a quarter of the key."""
    sha256: str
    origin: Literal["config", "environment", "api"]
    state: Literal["active", "disabled"] = "active"
    created_at: AwareDatetime
    requests: int = 0
    tokens: int = 0

    @property
    def score(self) -> float:
        """Least used first: requests + tokens/1000."""
        return self.requests + self.tokens / 1000


class UsageEvent(Frozen):
    """One request that reached the router: a line of the usage journal and a row of usage_tracking."""

    request_id: str
    at: AwareDatetime
    asked_model: str
    """As the caller wrote it."""
    provider: str | None = None
    model: str | None = None
    key_id: str | None = None
    status: int
    stream: bool = False
    cancelled: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_ms: float
    first_byte_ms: float | None = None
    error_code: str | None = None
    generation: int
