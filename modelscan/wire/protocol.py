"""What a wire protocol is: a row of data that names its endpoints, its SDK, its templates, and how it is read."""

from collections.abc import Callable
from typing import Any, Protocol

from pydantic import Field

from modelscan.types import Auth, Endpoint, Frozen, Quirks

__all__ = ["StreamReader", "Usage", "Vocabulary", "WireProtocol"]

Usage = tuple[int | None, int | None]
"""(prompt, completion) tokens; None where an answer does not say."""


class StreamReader(Protocol):
    """Reads usage on the side of a relayed stream, which may be split anywhere."""

    usage: Usage

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


class WireProtocol(Frozen):
    """One way of talking to a provider."""

    name: str
    """As specifications name it, such as `openai_chat`."""
    title: str
    endpoints: tuple[Endpoint, ...]
    auth: Auth = Auth()
    """How its providers take the key unless a source says otherwise."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Static headers that each request of it needs."""
    base_suffixes: tuple[str, ...] = ()
    """Ends that lists write after a base URL though the endpoints' paths hold them; the first that fits is cut off."""
    sdk: str
    """The only package beside the standard library that a generated client of it imports."""
    vocabulary: Vocabulary
    client_template: str
    test_template: str
    chat_body: Callable[[str, Quirks], dict[str, Any]]
    """(model, quirks) -> the smallest good chat request, for the probe without a key."""
    usage_of: Callable[[Any], Usage]
    """The tokens that a whole answer tells."""
    stream_reader: Callable[[], StreamReader]
    error_body: Callable[..., dict[str, Any]]
    """(status, message, code=…) -> an error as this protocol's SDKs read it."""

    def base_of(self, url: str) -> str:
        """`url` without a slash at its end and without what the endpoints' paths add themselves."""
        base = url.rstrip("/")
        return next((base.removesuffix(end) for end in self.base_suffixes if base.endswith(end)), base)
