"""How to talk to a provider: the specification that clients are generated from."""

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from modelscan.types.base import Frozen, digest_of
from modelscan.types.identifier import ModelId, ProviderId

__all__ = ["Auth", "ClientSpec", "Endpoint", "Model", "Price"]


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
    env: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,128}$")], ...] = ()
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
    """May hold `${VARIABLE}`s, which the environment fills in."""
    operator_host: bool = False
    """Whether the operator (or this service itself) named the host, so that it may have a private address."""
    auth: Auth
    endpoints: tuple[Endpoint, ...]
    models: tuple[Model, ...]
    """Sorted by id, without duplicates."""
    test_model: ModelId
    """The model that validation talks to: the one asked for, else the cheapest chat model."""
    quirks: dict[str, JsonValue] = Field(default_factory=dict)
    evidence: dict[str, str]
    """Field of this specification -> id of the record it rests on; one for each of CITED_FIELDS."""

    CITED_FIELDS: ClassVar[tuple[str, ...]] = ("name", "protocol", "base_url", "auth", "endpoints", "models")

    @property
    def digest(self) -> str:
        """SHA-256 over all that the specification says, but for which records say so: those change with every look."""
        return digest_of(self.model_dump(mode="json", exclude={"evidence"}))
