"""The limits of tokens and keys, kept together with other routers: what a request asks of them, and is told."""

from collections.abc import Callable, Collection, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple

from modelscan.errors import ModelScanError
from modelscan.keys.lease import Lease
from modelscan.keys.pool import KeyPool
from modelscan.limits import Interval, Window
from modelscan.shared.sharing import Sharing
from modelscan.shared.wants import Grant, Refusal, State, Want
from modelscan.tokens.account import Account, Hold
from modelscan.tokens.book import TokenBook
from modelscan.tokens.limit import Limit

__all__ = ["CONCURRENCY", "KeyChoice", "SharedLimits", "counted", "exact", "named"]

CONCURRENCY = "concurrency"
_WHOLE = frozenset({"tpm"})
_COUNTED = frozenset({"rpm", "daily"})
"""Terms that are used up by beginning."""
_PICO = 10**12
_ZERO = Decimal(0)
_RUNS_SECONDS = 86_400.0
"""What runs at once has no window; this long after the last one it is forgotten."""


class KeyChoice(NamedTuple):
    """A key with room in all routers together."""

    lease: Lease | None
    wait: float | None = None
    """Where there is none because other routers had used them: seconds until the first has room again."""


class SharedLimits:
    """Asks for what was reserved in this process. Nobody is asked for a request without a limit."""

    def __init__(self, sharing: Sharing, book: TokenBook, pool: KeyPool) -> None:
        self._sharing = sharing
        self._book = book
        self._pool = pool

    @property
    def share(self) -> str:
        """`1/3` where this router grants by its share alone; else empty."""
        return f"1/{self._sharing.routers}" if self._sharing.lost else ""

    def changed(self) -> None:
        """Tokens or keys have other limits: what was used before is in the usage rows."""
        self._sharing.compare_soon()

    async def admit(self, request_id: str, account: Account | None, hold: Hold | None) -> None:
        """Have all routers grant what this one has held for a request; raises TokenLimited, BudgetSpent."""
        if account is None or hold is None:
            return
        now, parts = self._book.clock(), list(hold.parts())
        wants = [_want(f"token/{account.token.id}", limit.term, limit.window, amount, now) for limit, amount in parts]
        most = account.token.terms.concurrency
        if most is not None:
            name = f"token/{account.token.id}/{CONCURRENCY}@0"
            wants.append(Want(name, now + _RUNS_SECONDS, most, 1, 0))
        if not wants:
            return
        try:
            found = await self._sharing.reserve(f"{request_id}/token", wants)
        except BaseException:
            hold.cancel()
            raise
        if isinstance(found, Refusal):
            hold.cancel()
            raise self._refusal(account, parts, wants.index(found.want), found, now)
        terms = [limit.term for limit, _ in parts]
        hold.ended = lambda tokens, usd: found.settle(
            [counted(term, 1, tokens, usd) for term in terms] + [0] * (len(wants) - len(terms))
        )

    async def key(self, request_id: str, provider: str, tokens: int, without: Collection[str]) -> KeyChoice:
        """The key that this router's pool chooses, of those that have room in all routers together."""
        passed, waits = set(without), []
        while (lease := self._pool.choose(provider, tokens, passed)) is not None:
            now = self._pool.clock()
            parts = [part for part in lease.parts() if part[1].limit is not None]
            wants = [_want(f"key/{provider}/{lease.key_id}", *part, now) for part in parts]
            found: Grant | Refusal | None = None
            try:
                found = await self._sharing.reserve(f"{request_id}/{lease.key_id}", wants) if wants else None
            except BaseException:
                lease.release()
                raise
            if not isinstance(found, Refusal):
                if found is not None:
                    lease.ended = _key_ended(found, [part[0] for part in parts])
                return KeyChoice(lease)
            lease.release()
            passed.add(lease.key_id)
            waits.append(found.want.ends_at - now)
        return KeyChoice(None, min(waits, default=None))

    def heard(self, window: str, state: State) -> None:
        """How a window stands over all routers: for those who look at tokens and keys."""
        owner, _, rest = window.partition("/")
        name, _, began = rest.rpartition("@")
        name, _, term = name.rpartition("/")
        if owner == "token" and (account := self._book.of(name)) and (limit := account.limit(term)):
            _tell(limit.window, began, state)
        elif owner == "key":
            provider, _, key_id = name.rpartition("/")
            if (found := self._pool.windows(provider, key_id)) and term in found:
                _tell(found[term], began, state)

    def _refusal(
        self, account: Account, parts: list[tuple[Limit[Any], int | Decimal]], place: int, found: Refusal, now: float
    ) -> ModelScanError:
        if place == len(parts):
            return account.busy(found.want.limit)
        limit, amount = parts[place]
        used, held = _as_before(found.state.used, amount), _as_before(found.state.held, amount)
        if found.by_share:  # To be told: all that is not this router's to grant.
            limit.window.elsewhere = max(used - limit.window.used, used - used)
        note = f" Redis is lost: this router grants {self.share} of what was left." if found.by_share else ""
        return limit.refusal(account.token.name, amount, now, held=held, note=note)


def named(owner: str, term: str, interval: Interval, now: float) -> tuple[str, float]:
    """A window's name and its end."""
    began, ends_at = interval.bounds(now)
    return f"{owner}/{term}@{began:.0f}", ends_at


def exact(amount: int | Decimal) -> int:
    """As Redis counts it: dollars as pico-dollars, rounded up."""
    return amount if isinstance(amount, int) else int((amount * _PICO).to_integral_value(ROUND_CEILING))


def counted(term: str, requests: int, tokens: int, usd: Decimal) -> int:
    """What a request that used this counts for a limit."""
    if term in _COUNTED:
        return requests
    if term == CONCURRENCY:
        return 0
    return exact(usd) if term.endswith("usd") else tokens


def _want(owner: str, term: str, window: Window[Any], amount: int | Decimal, now: float) -> Want:
    window.turn(now)
    name, ends_at = named(owner, term, window.interval, now)
    assert window.limit is not None
    limit, least = exact(window.limit), exact(window.restored)
    return Want(name, ends_at, limit, exact(amount), least, counted=term in _COUNTED, whole=term in _WHOLE)


def _as_before(told: int, like: int | Decimal) -> Any:
    """An amount of Redis in the unit of `like`."""
    return Decimal(told) / _PICO if isinstance(like, Decimal) else told


def _tell(window: Window[Any], began: str, state: State) -> None:
    if f"{window.began:.0f}" == began:
        zero = window.used - window.used
        window.elsewhere = max(_as_before(state.used - state.mine_used, zero) - window.restored, zero)


def _key_ended(grant: Grant, terms: Sequence[str]) -> Callable[[int, int], None]:
    return lambda requests, tokens: grant.settle([counted(term, requests, tokens, _ZERO) for term in terms])
