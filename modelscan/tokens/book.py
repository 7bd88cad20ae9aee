"""All tokens in memory, each found by its hash."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from modelscan.limits import AnchoredClock, Clock
from modelscan.tokens.account import Account
from modelscan.tokens.hashing import TokenHash
from modelscan.tokens.spent import NOTHING, Spent
from modelscan.types import ClientToken

__all__ = ["Entry", "TokenBook", "TokenState", "state_of"]

TokenState = Literal["active", "expired", "revoked"]


class Entry(NamedTuple):
    """A token and the hash by which it is found."""

    token: ClientToken
    hash: bytes


class TokenBook:
    """Who may come in, and how each stands with its limits.

    A look-up hashes what was presented, so the time it takes says nothing about the tokens that there are.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or AnchoredClock()
        self.issued = False
        """Whether there is any client token, also one that was revoked or has expired."""
        self._hash: TokenHash | None = None
        self._by_hash: dict[bytes, Account] = {}
        self._by_id: dict[str, Account] = {}

    def replace(
        self, entries: Iterable[Entry], hash_: TokenHash | None, spent: Mapping[str, Spent] | None = None
    ) -> None:
        """Take a new set; a token that remains keeps what is counted. `spent` says by id what the usage rows say."""
        now, known, told = self.clock(), self._by_id, spent or {}
        by_hash: dict[bytes, Account] = {}
        by_id: dict[str, Account] = {}
        issued = False
        for token, digest in entries:
            account = known.get(token.id)
            if account is None:
                account = Account(token, now, told.get(token.id, NOTHING))
            else:
                account.change(token, now, told.get(token.id, NOTHING))
            by_hash[digest] = by_id[token.id] = account
            issued = issued or token.role == "client"
        self._hash, self._by_hash, self._by_id, self.issued = hash_, by_hash, by_id, issued

    def find(self, presented: bytes) -> Account | None:
        """The token that this is, whatever became of it; None where it is none of ours."""
        return self._by_hash.get(self._hash.of(presented)) if self._hash else None

    def accounts(self) -> Iterable[Account]:
        """All of them, the oldest first."""
        return self._by_id.values()

    def of(self, token_id: str) -> Account | None:
        """The account of a token, by its id."""
        return self._by_id.get(token_id)


def state_of(token: ClientToken, now: float) -> TokenState:
    """Whether it opens anything, at `now` in seconds since 1970."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at.timestamp() <= now else "active"
