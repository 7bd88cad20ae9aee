"""How to talk to a provider: the specification that clients are generated from."""

import re
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, JsonValue

from modelscan.types.base import Frozen, digest_of
from modelscan.types.identifier import ModelId, ProviderId

__all__ = ["Auth", "ClientSpec", "Endpoint", "Model", "Price"]


# A list must not have a key put into a URL: only a name that says it is a part of an address is filled in.
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ADDRESS_PART = re.compile(r"[A-Z][A-Z0-9_]*_(ACCOUNT|BASE_URL|ENDPOINT|HOST|LOCATION|NAME|PROJECT|REGION|ID)")


def _without_secrets(text: str) -> str:
    for name in _VARIABLE.findall(text):
        if not _ADDRESS_PART.fullmatch(name) or "KEY" in name:
            raise ValueError(f"its base URL would hold the variable {name[:64]!r}, which may be a secret")
    return text


BaseUrl = Annotated[str, AfterValidator(_without_secrets)]


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
    base_url: BaseUrl
    """May hold `${VARIABLE}`s, which the environment fills in; only parts of an address, such as `AWS_REGION`."""
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
