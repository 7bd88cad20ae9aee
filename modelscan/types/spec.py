"""How to talk to a provider: the specification that clients are generated from."""

import re
from collections.abc import Collection
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import quote, urlencode

from pydantic import AfterValidator, Field, JsonValue, model_validator

from modelscan.types.base import Frozen, digest_of
from modelscan.types.identifier import ModelId, ProviderId, fits_a_path
from modelscan.types.request import SECRET, EndpointPath, HeaderName, QueryParameters, StaticHeaders
from modelscan.types.rest import RestMapping

__all__ = ["CUSTOM_REST", "Auth", "ClientSpec", "Endpoint", "Model", "Operation", "Price", "Quirks"]

CUSTOM_REST = "custom_rest"
"""The protocol of services that are spoken to as a mapping says."""

# A list must not have a key put into a URL: only a name that says it is a part of an address is filled in.
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ADDRESS_PART = re.compile(r"[A-Z][A-Z0-9_]*_(ACCOUNT|BASE_URL|ENDPOINT|HOST|LOCATION|NAME|PROJECT|REGION|ID)")


def _without_secrets(text: str) -> str:
    for name in _VARIABLE.findall(text):
        if not _ADDRESS_PART.fullmatch(name) or SECRET.search(name):
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
    """Sorted, of: attachment, reasoning, structured_output, temperature, tool_call, vision; or embeddings alone."""
    price: Price | None = None


class Auth(Frozen):
    """How a request carries its key: `kind` none, or a header with a scheme before the key (empty for none)."""

    kind: Literal["none", "header"] = "header"
    header: HeaderName = "Authorization"
    scheme: Annotated[str, Field(pattern=r"^[A-Za-z]{0,16}$")] = "Bearer"
    env: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,128}$")], ...] = ()
    """The environment variables that may hold the key, the first the usual one."""


Operation = Literal["chat", "count_tokens", "embeddings", "models", "stream"]
"""`stream` only where a streamed chat has a path of its own."""


class Endpoint(Frozen):
    """One operation and where it stands below the base URL."""

    operation: Operation
    method: Literal["GET", "POST"]
    path: EndpointPath
    """`{model}` in it stands for the model's id."""


class Quirks(Frozen):
    """What a provider does otherwise than its protocol has it. The defaults are the protocol's own way."""

    stream_usage: bool = True
    """Whether `stream_options.include_usage` is understood; where it is not, the router does not ask for it."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What OpenAI's chat completions call the limit of an answer; the router renames what a caller sends."""
    max_tokens_required: bool = False
    """Whether a request without that limit is refused; the router then sends the model's own, or 4096 tokens."""


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
    headers: StaticHeaders = Field(default_factory=dict)
    """Sent with every request, such as `anthropic-version`; never what carries a key or steers the connection."""
    query: QueryParameters = Field(default_factory=dict)
    """Added to every URL, such as `api-version`; never a key."""
    quirks: Quirks = Quirks()
    rest: RestMapping | None = None
    """How requests are written and answers read, where the protocol is `custom_rest`; None for all others."""
    evidence: dict[str, str]
    """Field of this specification -> id of the record it rests on; one for each of CITED_FIELDS."""

    CITED_FIELDS: ClassVar[tuple[str, ...]] = ("name", "protocol", "base_url", "auth", "endpoints", "models")
    _ADDED: ClassVar[tuple[str, ...]] = ("headers", "query", "rest")
    """Fields that came later: left out while they are empty, so that what was published before keeps its digest."""

    @model_validator(mode="after")
    def _has_a_chat(self) -> Self:
        if self.endpoint("chat") is None:
            raise ValueError("there is no endpoint for a chat")
        return self

    @model_validator(mode="after")
    def _headers_leave_the_key_alone(self) -> Self:
        if any(name.lower() == self.auth.header.lower() for name in self.headers):
            raise ValueError(f"the header {self.auth.header} carries the key and cannot be a static one too")
        return self

    @model_validator(mode="after")
    def _has_a_mapping_where_it_needs_one(self) -> Self:
        if (self.rest is not None) != (self.protocol == CUSTOM_REST):
            raise ValueError(f"a mapping belongs to {CUSTOM_REST}, and to nothing else")
        if self.rest and self.rest.request.stream is None and self.endpoint("stream") is None:
            raise ValueError("nothing says how a stream is asked for")
        asked = [endpoint.path for endpoint in self.endpoints if endpoint.operation in ("chat", "stream")]
        if self.rest and self.rest.request.model is None and not all("{model}" in path for path in asked):
            raise ValueError("nothing says which model is asked")
        return self

    @model_validator(mode="after")
    def _keeps_models_in_their_place(self) -> Self:
        ids = (self.test_model, *(model.id for model in self.models))
        if any("{model}" in endpoint.path for endpoint in self.endpoints) and not all(map(fits_a_path, ids)):
            raise ValueError("the id of a model would lead to another path than the endpoint's")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 over all that the specification says, but for which records say so: those change with every look."""
        stated = self.stated()
        del stated["evidence"]
        return digest_of(stated)

    def stated(self) -> dict[str, JsonValue]:
        """The specification as files state it: plain data, without quirks at their defaults or empty later fields."""
        data = self.model_dump(mode="json")
        data["quirks"] = self.quirks.model_dump(mode="json", exclude_defaults=True)
        data["rest"] = self.rest.model_dump(mode="json", exclude_defaults=True) if self.rest else None
        return {name: value for name, value in data.items() if value or name not in self._ADDED}

    def endpoint(self, operation: Operation) -> Endpoint | None:
        """Where that operation stands, if there is such."""
        return next((endpoint for endpoint in self.endpoints if endpoint.operation == operation), None)

    @property
    def embedding_model(self) -> ModelId | None:
        """The first of the models that make vectors, if any does."""
        return next((model.id for model in self.models if "embeddings" in model.capabilities), None)

    def without(self, capabilities: Collection[str]) -> Self:
        """The same without what is claimed of the model that was tried, or of embeddings: it did not hold."""
        models = tuple(
            model.model_copy(
                update={"capabilities": tuple(one for one in model.capabilities if one not in capabilities)}
            )
            if model.id == self.test_model
            else model
            for model in self.models
            if not {"embeddings"} & set(capabilities) & set(model.capabilities)
        )
        endpoints = tuple(one for one in self.endpoints if one.operation not in capabilities)
        return self.model_copy(update={"models": models, "endpoints": endpoints})

    @property
    def chat(self) -> Endpoint:
        """Where a chat is asked for; no specification is without."""
        return next(endpoint for endpoint in self.endpoints if endpoint.operation == "chat")

    def url(self, endpoint: Endpoint, *, base_url: str | None = None, model: str = "") -> str:
        """The whole URL of `endpoint`, below `base_url` where it is not the specification's own."""
        path = endpoint.path.replace("{model}", quote(model, safe=""))
        own = self.rest.stream.query if self.rest and endpoint.operation == "stream" else {}
        parameters = {**self.query, **own}
        query = f"?{urlencode(sorted(parameters.items()))}" if parameters else ""
        return f"{(base_url or self.base_url).rstrip('/')}{path}{query}"
