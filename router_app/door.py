"""Who may come in: a caller with a token or, while none was issued, anybody on this machine."""

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime

from modelscan.errors import Forbidden, ForeignHost, ServiceUnavailable, Unauthorized
from modelscan.tokens.account import Account
from modelscan.tokens.book import TokenBook

__all__ = ["CALLER", "Door", "is_loopback", "presented"]

CALLER = "modelscan.caller"
"""Where a request's scope keeps the id of the token that opened it, for its usage row."""
_BEARER = b"bearer "
_REMEMBERED = 64
_SEND = "Send it as `Authorization: Bearer msk-…` or as `x-api-key: msk-…`; `modelscan tokens issue NAME` makes one."
Headers = Iterable[tuple[bytes, bytes]]


class Door:
    """Open without a token only where none was ever issued (or all were deleted), and nobody else reaches the port.

    What a token opens is looked up in memory, so a token that was revoked opens nothing from then on.
    """

    def __init__(self, book: TokenBook | None = None, *, host: str = "127.0.0.1", open_anyway: bool = False) -> None:
        """`host` is where the router listens; `open_anyway` opens it there as well, while no token was issued."""
        self.book = book or TokenBook()
        self.broken = ""
        """Why the tokens cannot be read; nobody comes in then."""
        self._may_open = open_anyway or is_loopback(host)
        self._names_matter = not open_anyway
        self._own_names: set[bytes] = set()

    def enter(self, headers: Headers) -> Account | None:
        """The caller's token; None where none is needed.

        Raises Unauthorized, Forbidden for a token of the admin API, ForeignHost, and ServiceUnavailable where the
        tokens cannot be read.
        """
        if self._may_open and not self.book.issued and not self.broken:
            if self._names_matter:
                self._check_name(headers)
            return None
        account = self.token_of(presented(headers))
        if account.token.role != "client":
            raise Forbidden(
                f"The token {account.token.name} is for the admin API, and uses no model.",
                hint="Issue one without a role: modelscan tokens issue NAME",
            )
        return account

    def token_of(self, found: Iterable[bytes]) -> Account:
        """The first of these that is one of ours; raises as `enter` does."""
        if self.broken:
            raise ServiceUnavailable(f"The tokens cannot be read: {self.broken}", hint="GET /health tells more.")
        account, wrong = None, ""
        for text in found:
            wrong = "The token is not known here."
            if account := self.book.find(text):
                break
        if account is None:
            raise Unauthorized(wrong or "A token is needed here.", hint=_SEND)
        if account.token.revoked_at is not None:
            raise Unauthorized(f"The token {account.token.name} was revoked.", hint=_SEND)
        if account.expires <= self.book.clock():
            at = datetime.fromtimestamp(account.expires, UTC)
            raise Unauthorized(f"The token {account.token.name} expired at {at:%Y-%m-%d %H:%M} UTC.", hint=_SEND)
        return account

    def _check_name(self, headers: Headers) -> None:
        """A page of the web can have its own name lead here, and its visitor's browser ask; it cannot change `Host`."""
        host = next((value for name, value in headers if name == b"host"), b"")
        if host in self._own_names:
            return
        if not _is_own(host):
            raise ForeignHost(
                f"The request was meant for {host[:64].decode('latin-1')!r}, which is no name of this machine.",
                hint="Ask by localhost or by an address. Other names are served once a token was issued "
                "(modelscan tokens issue NAME), or with server.open.",
            )
        if len(self._own_names) < _REMEMBERED:
            self._own_names.add(host)


def presented(headers: Headers) -> list[bytes]:
    """What a request shows as its token, as OpenAI's clients and as Anthropic's send it."""
    found = []
    for name, value in headers:
        if name == b"authorization":
            if value[:7].lower() == _BEARER:
                found.append(value[7:].strip())
        elif name == b"x-api-key":
            found.append(value)
    return found


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return _is_local_name(host)


def _is_own(host: bytes) -> bool:
    """Whether it is an address, or a name that always means this machine."""
    text = host.decode("latin-1")
    name = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return not name or _is_local_name(name)
    return True


def _is_local_name(name: str) -> bool:
    plain = name.lower().rstrip(".")
    return plain == "localhost" or plain.endswith(".localhost")
