"""Which address a list may name as a provider's base URL: plainly spelt, public, and reached over TLS."""

import re
import socket
from collections.abc import Collection

import httpx2

from modelscan.sources.http import host_port, is_public

__all__ = ["fixed_url", "is_private_host", "may_be_named", "why_not_named"]

_PLAIN = re.compile(r"https?://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[\w.~%@+:,=-]*)*", re.IGNORECASE)
_OF_A_NETWORK = ("corp", "home", "home.arpa", "internal", "intranet", "lan", "local", "localdomain", "localhost")
"""Ends of names that only somebody's own network knows."""
_STANDS_FOR_A_VARIABLE = "variable"


def fixed_url(base_url: str) -> httpx2.URL | None:
    """The URL with its `${VARIABLE}`s in place, where it is http(s) and names a host; None for all else.

    No user, query, fragment, backslash or `..`: what reads another host out of such a text has no chance to.
    """
    text = re.sub(r"\$\{\w+\}", _STANDS_FOR_A_VARIABLE, base_url)
    if not _PLAIN.fullmatch(text) or ".." in text:
        return None
    try:
        url = httpx2.URL(text)
        return url if url.host and (url.port is None or 0 < url.port < 65536) else None
    except httpx2.InvalidURL:
        return None


def why_not_named(base_url: str, allowed: Collection[str] = ()) -> str:
    """Why a list may not name it, as the end of a sentence about it; empty where it may.

    `allowed`: private hosts, or `host:port`s, that the operator lets lists name.
    """
    url = fixed_url(base_url)
    if url is None:
        return "names no fixed http(s) host"
    if {url.host, host_port(str(url))} & set(allowed):
        return ""
    if not base_url.isascii() or re.search(r"(^|\.)xn--", url.raw_host.decode(), re.IGNORECASE):
        return "has letters in its host that may look like others, which a list may not name"
    if is_private_host(url.host):
        return "is a private address, which a list may not name"
    return "" if url.scheme == "https" else "would carry a key in clear: a list may only name https"


def may_be_named(base_url: str, allowed: Collection[str] = ()) -> bool:
    """Whether a list's word is enough to contact it."""
    return not why_not_named(base_url, allowed)


def is_private_host(host: str) -> bool:
    """Whether it is a private address in any spelling (`127.1`, `2130706433`), or a name that is no public one."""
    name = host.rstrip(".").lower()
    try:
        return not is_public(name if ":" in name else socket.inet_ntoa(socket.inet_aton(name)))
    except OSError:
        local = f".{name}".endswith(tuple(f".{end}" for end in _OF_A_NETWORK))
        return local or ("." not in name and name != _STANDS_FOR_A_VARIABLE)
