"""What a source is: a row with a name, whether its URLs may be trusted, and how it is asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx2
from pydantic import SecretStr

from modelscan.errors import InvalidInput
from modelscan.settings import DiscoverySettings
from modelscan.types import Identifier, SourceGap, SourceRecord

__all__ = ["Source", "SourceRequest", "is_base_url"]


@dataclass(frozen=True)
class SourceRequest:
    """What a source is asked."""

    identifier: Identifier
    http: httpx2.AsyncClient
    settings: DiscoverySettings
    base_url: str | None = None
    """The operator's own (`--base-url`), or the one that a trusted record named before."""
    operator_named: bool = False
    """Whether `base_url` is the operator's own word."""
    demo_base_url: str | None = None
    """Where this service's reference provider listens."""
    key: SecretStr | None = None
    """May be sent to `base_url` and nowhere else."""

    def __post_init__(self) -> None:
        """Raises InvalidInput where the operator's base URL is none, or holds what may be a secret."""
        if self.operator_named and not is_base_url(self.base_url or ""):
            raise InvalidInput(
                "The base URL is not http(s)://HOST[:PORT][/PATH], without user, query or fragment.",
                hint="Such as http://127.0.0.1:9001/v1; a key goes with --api-key.",
            )


def is_base_url(text: str) -> bool:
    """Whether it is an http(s) address with nothing in it but host, port and path."""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        return False
    port = 1 if url.port is None else url.port
    named = url.scheme in ("http", "https") and bool(url.host) and "%" not in url.host and 0 < port < 65536
    return named and not (url.userinfo or url.query or url.fragment)


@dataclass(frozen=True)
class Source:
    """One source. `needs_base_url`: it asks the provider itself, so some other source must say first where that is.
    `operator_only`: it has nothing to say but where the operator named a base URL."""

    name: str
    fetch: Callable[[SourceRequest], Awaitable[SourceRecord | SourceGap | None]]
    """None where the source has nothing to do with the request."""
    needs_base_url: bool = False
    operator_only: bool = False
    cached: bool = True
    """Whether an answer is used again for `discovery.cache_days`."""
