"""A request as it goes to one provider."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import NamedTuple

from modelscan.clients.registry import Route
from modelscan.errors import ServiceUnavailable
from modelscan.types import Auth
from router_app.upstream import Headers, UpstreamAnswer

__all__ = ["Outgoing", "Prepare", "Tell", "filled", "keyed", "static"]

Tell = Callable[[UpstreamAnswer, Headers], Awaitable[None]]
"""Tells the caller a provider's answer, with those of its headers that go on."""


class Outgoing(NamedTuple):
    """What goes to one provider, and how its answer is told."""

    url: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    tell: Tell


_JSON = (b"content-type", b"application/json")
Prepare = Callable[[Route], Outgoing]
"""Makes the request for one provider. Raises what says that it cannot be asked this."""


def static(route: Route, passed: Headers) -> list[tuple[bytes, bytes]]:
    """The specification's headers, but for those that the caller gives a value of their own."""
    if not passed and not route.spec.headers:
        return [_JSON]
    static = {name.lower().encode(): value.encode() for name, value in route.spec.headers.items()}
    return [*(dict((_JSON,)) | static | dict(passed)).items()]


def keyed(headers: Headers, auth: Auth, secret: bytes) -> list[tuple[bytes, bytes]]:
    """The headers, and the one that carries the key."""
    name, before = _carrier(auth.header, auth.scheme)
    return [*headers, (name, before + secret)]


@lru_cache
def _carrier(header: str, scheme: str) -> tuple[bytes, bytes]:
    """The header's name, and what stands before the key in it."""
    return header.lower().encode(), f"{scheme} ".lstrip().encode()


def filled(route: Route, url: str) -> str:
    """The URL, unless a variable of it is not set; raises ServiceUnavailable then."""
    if "${" in url:
        variable = url.partition("${")[2].partition("}")[0]
        raise ServiceUnavailable(
            f"The address of {route.spec.provider} contains {variable}, which is not set.",
            hint=f"Set {variable} in the service's environment and start it again.",
        )
    return url
