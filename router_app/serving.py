"""What requests are served from, all of it in memory: the registry, the keys, the journal, the way out."""

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelscan.clients.registry import Registry
from modelscan.clients.routing import Routing
from modelscan.errors import ServiceUnavailable
from modelscan.health.board import Board
from modelscan.health.traffic import Traffic
from modelscan.keys.lease import REFUSING, Lease
from modelscan.keys.pool import KeyPool
from modelscan.settings import HealthSettings, RoutingRule, RoutingSettings
from modelscan.types import UsageEvent
from modelscan.usage.journal import Journal
from modelscan.usage.prices import PriceBook
from router_app.balancing import Balancer
from router_app.circuits import Circuits
from router_app.door import Door
from router_app.parts import Parts
from router_app.upstream import Upstream

if TYPE_CHECKING:
    from router_app.sharing import SharedLimits

__all__ = ["Serving"]

_FIRST_SECONDS = 10.0
_COOLDOWN_SECONDS = 900.0
_log = logging.getLogger(__name__)


class Serving:
    """One for the life of the service. A request takes the registry once and keeps it; a swap is one assignment."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        journal: Journal,
        parts: Parts,
        settings: RoutingSettings = RoutingSettings(),  # noqa: B008 - frozen
        cooldown_seconds: float = _COOLDOWN_SECONDS,
        door: Door | None = None,
        health: HealthSettings = HealthSettings(),  # noqa: B008 - frozen
        first_seconds: float = _FIRST_SECONDS,
    ) -> None:
        self.upstream = upstream
        self.door = door or Door()
        self.prices = PriceBook()
        """What requests cost from now on; swapping it is one assignment."""
        self.pool = KeyPool(cooldown_seconds)
        self.shared: SharedLimits | None = None
        """Where limits are kept together with other routers."""
        self.allowed_private: set[str] = set()
        """The `host:port`s that the operator named, for the upstream's connections."""
        self.settings = settings
        self.circuits = Circuits(settings.circuit_faults, settings.circuit_seconds)
        self.traffic = Traffic()
        """What requests meet at each provider."""
        self.board = Board(health)
        """How providers are doing."""
        self.balancer = Balancer(prices=lambda: self.prices, ailing=lambda: self.board.ailing)
        self._journal = journal
        self._parts = parts
        self._first_seconds = first_seconds
        self._rules: tuple[RoutingRule, ...] = ()
        self._registry: Registry | None = None
        self.routing_now: Routing | None = None
        """What `routing` returns at once, where it does."""
        self._held = False
        self._loaded = asyncio.Event()

    @property
    def current(self) -> Registry | None:
        """None until the first registry was loaded."""
        return self._registry

    def swap(self, registry: Registry) -> None:
        """Serve `registry` from now on."""
        self._registry = registry
        if not self._held:
            self._serve()

    def hold(self) -> None:
        """Let the first requests wait for `release`: a registry without its rules and keys would refuse them."""
        self._held = self.routing_now is None

    def release(self) -> None:
        """Let in whoever waits, where there is a registry."""
        self._held = False
        self._serve()

    def _serve(self) -> None:
        if self._registry:
            self.routing_now = Routing(self._registry, self._rules)
            self._loaded.set()

    def rule(self, rules: Iterable[RoutingRule]) -> None:
        """Have these rules count from now on."""
        self._rules = tuple(rules)
        if self.routing_now:
            self.routing_now = Routing(self.routing_now.registry, self._rules)

    async def registry(self) -> Registry:
        """The registry. Before the first one is loaded, waits for it; raises ServiceUnavailable after 10 s."""
        return (await self.routing()).registry

    async def routing(self) -> Routing:
        """The registry with the rules over it; waits likewise."""
        if self.routing_now is None:
            try:
                async with asyncio.timeout(self._first_seconds):
                    await self._loaded.wait()
            except TimeoutError:
                raise ServiceUnavailable(
                    "The service is starting.", hint="Try again in a moment; GET /health says what it waits for."
                ) from None
        assert self.routing_now is not None
        return self.routing_now

    def account(self, event: UsageEvent, lease: Lease | None = None) -> None:
        """Journal a request; its key's counters learn what it used. On a full disk the journal holds it."""
        if lease is not None:  # As `queries/key_windows.sql` counts the row after a restart.
            if event["status"] in REFUSING:
                lease.release()
            else:
                lease.settle((event.get("prompt_tokens") or 0) + (event.get("completion_tokens") or 0))
        try:
            self._journal.append(event)
        except OSError as error:
            _log.exception("the usage of request %s could not be written", event["request_id"])
            self._parts.set("journal", "down", f"The last row could not be written: {error.strerror}.")
