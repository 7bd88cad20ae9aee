"""The query of a caller's URL on its way to a provider of the same protocol: all of it but credentials."""

import re
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_plus

from modelscan.errors import InvalidInput
from modelscan.redaction import redact

__all__ = ["Query", "added_to", "names_in"]

_MOST_BYTES = 8192
_MOST_NAMED = 16
_PART = re.compile(rb"[&;]")
"""Some servers end a part with a semicolon, too."""
_LIKE_A_CREDENTIAL = re.compile(
    r"key|token|secret|passw|pwd|credential|auth|bearer|jwt|cookie|session|signature|^sig$|^code$"
)
_NO_LETTER = re.compile(r"[^a-z0-9]+")
_ODD = re.compile(r"[^A-Za-z0-9_.\[\]-]")
_KEPT = "".join(chr(one) for one in range(33, 127) if chr(one) not in '"#<>')
"""What stands in a target as it came; spaces, controls and the like are escaped."""


class Query(NamedTuple):
    """What of it goes on, and the names of the rest."""

    url: str
    """The provider's address with the parts that go on."""
    dropped: tuple[str, ...]
    """As `x-modelscan-dropped` names them: `query.key`."""


def added_to(url: str, query: bytes) -> Query:
    """A provider's URL with a caller's query: neither what looks like a credential, nor what the URL says itself.

    A credential in a URL would end in the logs of the provider; the provider's own is sent as its specification says.
    Raises InvalidInput where the query has more than 8,192 bytes.
    """
    if len(query) > _MOST_BYTES:
        raise InvalidInput(f"The query has more than {_MOST_BYTES} bytes.", hint="Send it in the body.")
    _, mark, own = url.partition("?")
    said = {_name(part) for part in own.encode().split(b"&")} if mark else set()
    kept, dropped = [], []
    for part in filter(None, query.split(b"&")):
        if any(_is_credential(one) or _name(one) in said for one in _PART.split(part)):
            dropped.append(part)
        else:
            kept.append(quote_from_bytes(part, safe=_KEPT))
    if kept:
        url = f"{url}{'&' if mark else '?'}{'&'.join(kept)}"
    return Query(url, _named(dropped))


def names_in(query: bytes) -> tuple[str, ...]:
    """The names of all its parts, as `x-modelscan-dropped` names them."""
    return _named([part for part in query[:_MOST_BYTES].split(b"&") if part])


def _name(part: bytes) -> str:
    return unquote_plus(part.partition(b"=")[0].decode("latin-1"))


def _is_credential(part: bytes) -> bool:
    """By its name, or by the shape of what it says."""
    text = unquote_plus(part.decode("latin-1"))
    name = _NO_LETTER.sub("", _name(part).lower())
    return _LIKE_A_CREDENTIAL.search(name) is not None or redact(text) != text


def _named(parts: list[bytes]) -> tuple[str, ...]:
    """A few names tell enough, and none of them a secret."""
    names = (_ODD.sub("_", redact(_name(part)))[:64] for part in parts[:_MOST_NAMED])
    return tuple(dict.fromkeys(f"query.{name}" for name in names))
