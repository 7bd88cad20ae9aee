"""What the catalogue lists: providers, published clients, keys, usage."""

from datetime import datetime
from decimal import Decimal
from typing import Literal, Required, TypedDict

from pydantic import AwareDatetime

from modelscan.types.base import Frozen
from modelscan.types.identifier import ProviderId
from modelscan.types.validation import Level

__all__ = ["ApiKey", "Provider", "SdkVersion", "UsageEvent"]


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
    host: str | None = None
    """`host:port` of the server that it was given for, and is sent to alone; None: wherever the provider is."""
    label: str = ""
    """The operator's own name for it."""
    origin: Literal["config", "environment", "api"]
    state: Literal["active", "disabled"] = "active"
    disabled_for: Literal["absent", "operator", "refused"] | None = None
    """`absent`: no longer where it came from; `operator`: switched off; `refused`: by the provider."""
    created_at: AwareDatetime
    rpm: int | None = None
    """Requests a minute that the operator allows it; None: no limit."""
    tpm: int | None = None
    """Tokens a minute."""
    daily: int | None = None
    """Requests a day, in UTC."""
    fault_status: int | None = None
    """With which the provider last refused it."""
    fault_at: AwareDatetime | None = None
    rests_until: AwareDatetime | None = None
    """It is not used before."""
    requests: int = 0
    tokens: int = 0

    @property
    def score(self) -> float:
        """Least used first: requests + tokens/1000."""
        return self.requests + self.tokens / 1000


class UsageEvent(TypedDict, total=False):
    """One request that reached the router: a line of the usage journal and a row of usage_tracking.

    The router makes one for each request from what it knows itself, so nothing is validated, and it leaves out what is
    not known and what is as usual, which is most: to make and write all members took five times as long. What is left
    out is None; the three flags are false then, retries and fallbacks 0, and the operation is `chat`.
    """

    request_id: Required[str]
    at: Required[datetime]
    asked_model: Required[str]
    """As the caller wrote it, without half surrogates."""
    provider: str | None
    model: str | None
    key_id: str | None
    status: Required[int]
    stream: bool
    cancelled: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: Required[float]
    first_byte_ms: float | None
    error_code: str | None
    generation: Required[int]
    operation: str
    """What was asked for: `chat`, or what stands behind /v1 in the path, such as `embeddings`."""
    token_id: str | None
    """The client token that it came with."""
    client: str | None
    """The name that the caller gave itself, which proves nothing."""
    cached_tokens: int | None
    """Of `prompt_tokens`, as `cache_write_tokens` are."""
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    """Of `completion_tokens`."""
    estimated: bool
    """Whether tokens are an estimate of ours, since the provider told none."""
    cost_usd: Decimal | None
    """None is unknown, never 0."""
    media_tokens: dict[str, int]
    """Of both: those of sound and pictures, by the fields of Media; left out where there are none."""
    price_id: str | None
    """The version of the price that `cost_usd` was reckoned with."""
    retries: int
    """How often a provider was asked again, with another key too."""
    fallbacks: int
    """How many candidates were tried or passed over before the one that `provider` and `model` name."""
    sdk_version: int | None
    """The version of its provider's client that it was sent with; None where it was not sent."""
    failed_version: int | None
    """One on trial that was asked first and failed, so that `sdk_version` was asked."""
