"""What a wire protocol is: a row of data that names its endpoints, its SDK, its templates, and how it is read."""

import re
from collections.abc import Callable
from typing import Any, Protocol

from pydantic import Field

from modelscan.types import Auth, Endpoint, Frozen, Operation, Quirks, RestMapping, Usage

__all__ = ["StreamReader", "Surface", "Usage", "Vocabulary", "WireProtocol", "listed_ids", "tokens"]


def tokens(value: Any) -> int | None:
    """A number of tokens as foreign JSON says it; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def listed_ids(payload: Any) -> list[str | None] | None:
    """The ids of a models list as OpenAI and Anthropic write it; Together answers one without a frame."""
    rows = payload.get("data") if isinstance(payload, dict) else payload or None
    if not isinstance(rows, list):
        return None
    ids = [row.get("id") if isinstance(row, dict) else None for row in rows]
    return [id_ if isinstance(id_, str) else None for id_ in ids]


class StreamReader(Protocol):
    """Reads usage and errors on the side of a relayed stream, which may be split anywhere."""

    usage: Usage
    failed: bool
    """Whether the provider told an error within the stream."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, as they came."""
        ...


class Vocabulary(Frozen):
    """What a generated client may be made of; the gate refuses everything else."""

    imports: frozenset[str]
    names: frozenset[str]
    attributes: frozenset[str]
    syntax: frozenset[str] = frozenset()
    """Names of `ast` nodes that are refused unless they stand here, such as `For` and `With`."""


class Surface(Frozen):
    """How callers of a protocol are served, and told of errors."""

    name: str
    """As specifications name it, such as `openai_chat`."""
    served_at: str = ""
    """The router's path; empty where there is none."""
    passed_headers: tuple[str, ...] = ()
    """Headers of a caller, in lower case, that go on to a provider of the same protocol and win over its own."""
    stream_error: Callable[[dict[str, Any]], bytes]
    """An error's body -> the event that tells it within a stream that has begun."""
    error_body: Callable[..., dict[str, Any]]
    """(status, message, code=…) -> an error as this protocol's SDKs read it."""


class WireProtocol(Surface):
    """One way of talking to a provider."""

    rest: RestMapping | None = None
    """How requests and answers look, where the name is `custom_rest`."""
    title: str
    endpoints: tuple[Endpoint, ...]
    optional: frozenset[Operation] = frozenset()
    """Operations that providers of it often lack: only those that were seen are claimed."""
    auth: Auth = Auth()
    """How its providers take the key unless a source says otherwise."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Static headers that each request of it needs."""
    base_suffixes: tuple[str, ...] = ()
    """Ends that lists write after a base URL though the endpoints' paths hold them; the first that fits is cut off."""
    base_varies: bool = False
    """Whether the base URL ends in `/v1` or not as each provider likes, so that both are worth a try."""
    sdk: str
    """The only package beside the standard library that a generated client of it imports."""
    vocabulary: Vocabulary
    client_template: str
    test_template: str
    reference_path: str
    """The base path at which contract tests have the reference provider speak it."""
    provable: frozenset[str] = frozenset()
    """The capabilities of models that its generated test can prove."""
    chat_body: Callable[[str, Quirks], dict[str, Any]]
    """(model, quirks) -> the smallest good chat request, for the probe without a key."""
    model_ids: Callable[[Any], list[str | None] | None]
    """The ids of a models list, None for each row without one; None where an answer is no such list."""
    usage_of: Callable[[Any], Usage]
    """The tokens that a whole answer tells."""
    stream_reader: Callable[[], StreamReader]
    last_event: re.Pattern[bytes] = re.compile(rb"\s*\[DONE\]")
    """The data of the event that ends a stream."""

    @property
    def dialect(self) -> str:
        """What tells it from all other rows: its mapping's name, such as `cohere_v2`, else its own."""
        return self.rest.name if self.rest else self.name

    def endpoint(self, operation: Operation) -> Endpoint | None:
        """Where an operation stands below the base URL."""
        return next((endpoint for endpoint in self.endpoints if endpoint.operation == operation), None)

    def bases(self, url: str) -> tuple[str, ...]:
        """The base URLs that `url` may stand for, as given first."""
        base = self.base_of(url)
        if not self.base_varies:
            return (base,)
        return (base, base.removesuffix("/v1") if base.endswith("/v1") else f"{base}/v1")

    def base_of(self, url: str) -> str:
        """`url` without a slash at its end and without what the endpoints' paths add themselves."""
        base = url.rstrip("/")
        return next((base.removesuffix(end) for end in self.base_suffixes if base.endswith(end)), base)
