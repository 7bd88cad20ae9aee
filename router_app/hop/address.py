"""Where a URL leads, worked out once: its origin to connect to, and the target to ask for."""

import re
from functools import lru_cache
from typing import NamedTuple

import httpx2

__all__ = ["Address", "Origin", "address_of", "address_with_query"]

_KEPT = 4096
_QUERY = re.compile(r"[!\"$-~]*")


class Origin(NamedTuple):
    """What a connection is made to, and kept alive for."""

    host: str
    """As it is resolved and, for TLS, named: without brackets, in its ASCII form."""
    port: int
    tls: bool
    key: str
    """Of dictionaries: a text knows its hash, where that of a tuple is reckoned each time."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Address(NamedTuple):
    """An origin, the request target (path and query), and the Host header."""

    origin: Origin
    target: bytes
    host: bytes


@lru_cache(maxsize=_KEPT)
def address_of(url: str) -> Address:
    """Raises ValueError where it is no http(s) URL with a host, or holds credentials."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ValueError(str(error)) from error
    named = parsed.raw_host and b"%" not in parsed.raw_host
    if parsed.scheme not in ("http", "https") or not named or parsed.userinfo:
        raise ValueError("it is no http(s) URL of a host")
    secure = parsed.scheme == "https"
    port = parsed.port or (443 if secure else 80)
    host = parsed.raw_host.decode()
    return Address(Origin(host, port, secure, f"{parsed.scheme}://{host}:{port}"), parsed.raw_path, parsed.netloc)


def address_with_query(url: str) -> Address:
    """Of a URL with a query, which a caller may write as they like: that part is not remembered.

    Raises ValueError as `address_of` does, and where the query holds what no target may.
    """
    place, _, query = url.partition("?")
    if not _QUERY.fullmatch(query):
        raise ValueError("its query holds what is to be escaped")
    address = address_of(place)
    return address._replace(target=b"%b?%b" % (address.target, query.encode("ascii")))
