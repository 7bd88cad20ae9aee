"""The service: brings its parts up from the catalogue, reloads them, restarts, and tells how they are."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from pydantic import SecretStr

from modelscan import __version__
from modelscan.catalog import routing
from modelscan.catalog.connection import TableMissing
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.clients.keeping import settle
from modelscan.clients.loading import load_registry
from modelscan.clients.registry import Registry
from modelscan.clients.trial import judge, told
from modelscan.errors import InvalidConfiguration, ServiceUnavailable
from modelscan.settings import RoutingRule, Settings
from modelscan.sources.http import host_port
from modelscan.synthesis.prices import load_book
from modelscan.types import utc_now
from modelscan.usage.flush import flush
from modelscan.usage.journal import Journal
from modelscan.usage.prices import PriceBook
from modelscan.usage.upkeep import Upkeep
from router_app.change_feed import ChangeFeed
from router_app.deciding import Deciding
from router_app.discoveries import Discoveries
from router_app.door import Door
from router_app.gate import Gate
from router_app.hop import PooledUpstream
from router_app.hop.connection import Limits
from router_app.keyring import Keyring
from router_app.monitor import Monitor
from router_app.parts import Parts
from router_app.refreshing import Refreshing
from router_app.serving import Serving
from router_app.token_desk import TokenDesk
from router_app.webhook import WebhookSender

__all__ = ["Service"]

_AGAIN_SECONDS = 2.0
_FLUSH_SECONDS = 1.0
_BUSY_ROWS, _BUSY_SECONDS = 500, 5.0
_MANY_ROWS, _MANY_SECONDS = 10_000, 30.0
"""The more rows at once, the less each costs: 10 µs in 20,000, and 3.5 in 200,000. Who asks the API for statistics has
them at once all the same."""
"""After so many rows at once the next wait longer: to open and close the catalogue costs as much as a thousand."""
_log = logging.getLogger(__name__)


class Service:
    """What the application and the process share. Made without touching the catalogue; `open` does that."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        gate: Gate,
        notify: Callable[[], None],
        database: Database | None = None,
        reread: Callable[[], Settings] | None = None,
        on_master: Callable[[SecretStr], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.parts = Parts()
        self.gate = gate
        self.database = database or Database(settings.database_path, settings.database.wait_seconds)
        self.discoveries = Discoveries(self.database, notify)
        self.refreshing = Refreshing()
        """With a Prefect to ask once the process has one."""
        self.change_feed = ChangeFeed(self.database, gate.closed)
        self.deciding = Deciding(self.database, settings.drift, self.discoveries, self.reload_prices)
        self.journal = Journal(settings.journal_dir)
        self.allowed_private: set[str] = set(settings.discovery.allowed_private_hosts)
        self.serving = Serving(
            upstream=self._upstream(),
            journal=self.journal,
            parts=self.parts,
            settings=settings.routing,
            cooldown_seconds=settings.key_pool.cooldown_seconds,
            door=Door(host=settings.server.host, open_anyway=settings.server.open),
            health=settings.health,
        )
        self.monitor = Monitor(self.serving, self.database, self.allowed_private)
        self.stored_rules: tuple[RoutingRule, ...] = ()
        """Those of the catalogue, which go before the configuration's for the same name and client."""
        self._reread = reread or (lambda: settings)
        self._keyring = Keyring(settings, environ, self.database, self.serving, self.parts, on_master)
        self.on_change: Callable[[], None] = lambda: None
        """Hears of what was changed here that other routers hold in memory as well."""
        self.tokens = TokenDesk(self.database, self._keyring.custody, self.serving, self.flush, self._tell_others)
        self._trials: dict[int, dict[str, Any]] = {}
        """As they stood when they were judged last, by the generation in which they began."""
        self._changing = asyncio.Lock()
        self._flushing = asyncio.Lock()
        self._upkeep = Upkeep(self.database, settings.usage)
        self._opened = asyncio.Event()
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flusher: asyncio.Task[None] | None = None
        for name in ("catalogue", "prices", "tokens", "registry", "rules", "keys", "journal"):
            self.parts.set(name, "starting")
        self.parts.set("router", "up")

    async def open(self) -> None:
        """Bring the parts up, in their order. Raises what the catalogue raises; may be called again."""
        async with self._changing:
            await self._step("catalogue", asyncio.to_thread(migrate, self.database))
            self.parts.set("catalogue", "up")
            await self.flush()  # The counters of tokens and keys are made of the rows.
            await self._step("prices", self._load_prices(None))  # What a token may spend is reckoned with them.
            await self._step("tokens", self._load_tokens())  # Before anything is served.
            self.serving.hold()
            try:
                await self._step("registry", asyncio.to_thread(settle, self.database, self.settings.generation.path))
                await self._step("registry", self._load_registry())
                await self._step("rules", self._load_rules())
                await self._step("keys", self._keyring.load())
            finally:
                self.serving.release()
        self.parts.set("journal", "up")
        self._opened.set()

    async def keep_opening(self) -> None:
        """`open`, again and again until it succeeds: what is served meanwhile goes on being served."""
        while True:
            if await self._tried_to_open():
                return
            await asyncio.sleep(_AGAIN_SECONDS)

    async def opened(self, seconds: float | None = 10.0) -> None:
        """Return once the catalogue is there; raises ServiceUnavailable after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._opened.wait()
        except TimeoutError:
            raise ServiceUnavailable(
                "The service is starting.", hint="Try again in a moment; GET /health says what it waits for."
            ) from None

    async def reload(self, *, everything: bool = False) -> Registry:
        """Serve what the catalogue says now, by the rules that it and the configuration's file hold now.

        Requests that run go on with what they began with. `everything`: tokens and keys, too, which another router may
        have changed.
        """
        async with self._changing:
            if everything:
                self._keyring.forget_master()
                await self._step("tokens", self._load_tokens())
            await self._step("registry", self._load_registry())
            await self._step("rules", self._load_rules())
            await self._step("prices", self._load_prices(self.serving.prices))
            await self._step("keys", self._keyring.load(only_if_news=not everything))
            if everything and self.serving.shared is not None:
                self.serving.shared.changed()
        registry = self.serving.current
        assert registry is not None
        return registry

    @asynccontextmanager
    async def keyring(self) -> AsyncIterator[Keyring]:
        """The keys, to change them while nobody else changes anything."""
        async with self._changing:
            yield self._keyring
        self._tell_others()

    async def reload_prices(self) -> None:
        """Reckon what requests cost with the prices that the catalogue holds now."""
        async with self._changing:
            await self._step("prices", self._load_prices(self.serving.prices))
        self._tell_others()

    async def save_rule(self, rule: RoutingRule) -> None:
        """Store a routing rule, which counts from now on."""
        async with self._changing:
            await asyncio.to_thread(routing.save, self.database, rule)
            await self._load_rules()
        self._tell_others()

    async def delete_rule(self, match: str, client: str) -> RoutingRule:
        """Remove a routing rule that was stored; raises RuleNotFound."""
        async with self._changing:
            removed = await asyncio.to_thread(routing.delete, self.database, match, client)
            await self._load_rules()
        self._tell_others()
        return removed

    def start(self) -> None:
        """Bring the parts up, and move the journal on every second, beside everything else."""
        self._begin(self.keep_opening())
        self._begin(self._monitor())
        self._flusher = asyncio.create_task(self._flush_now_and_then())
        webhook = WebhookSender(self.settings.drift, self.settings.data_dir, self.database, self.parts)
        self._begin(webhook.run(self._opened))

    def restart(self) -> None:
        """Drain, make the parts anew, serve again: begun here, done beside."""
        self._begin(self._restart())

    async def flush(self) -> int:
        """Move the journal into the catalogue, and return how many rows; those that do not get in stay there."""
        added = 0
        async with self._flushing:
            try:
                added = await asyncio.to_thread(flush, self.journal, self.database)
            except TableMissing as error:
                await self._remake(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the rows stay and are tried again
                _log.error("the usage journal could not be flushed: %s", error)
                self.parts.set("journal", "down", f"Rows wait in {self.settings.journal_dir.name}: {error}")
            else:
                held = f"{self.journal.held} rows wait in memory for room on the disk." if self.journal.held else ""
                self.parts.set("journal", "down" if held else "up", held)
        return added

    async def _remake(self, error: TableMissing) -> None:
        """The catalogue's file was taken away: the usage that waits is to have one, whatever else was in it."""
        _log.error("the catalogue has no tables any more, and is made anew: %s", error)
        self.parts.set("journal", "down", "The catalogue was taken away; rows wait until it is made anew.")
        try:
            await asyncio.to_thread(migrate, self.database)
        except Exception as fault:  # noqa: BLE001 - the rows stay, and are tried again
            _log.error("the catalogue could not be made anew: %s", fault)

    async def close(self) -> None:
        """Flush, and let go of everything. No request may be running."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.monitor.close()
        self._closing.set()
        if self._flusher:  # Told, not cancelled: its thread would go on, and meet the last flush at the same file.
            await self._flusher
        await self.flush()
        await self._keep_standings()
        self.journal.close()
        await self.serving.upstream.aclose()

    def health(self) -> dict[str, Any]:
        """The state of each part, and of the whole: ok, starting, degraded, restarting or draining."""
        registry = self.serving.current
        parts = self.parts.snapshot()
        status: str = self.gate.state
        if status == "open":
            states = {part["state"] for part in parts.values()}
            status = "degraded" if "down" in states else "ok" if self._opened.is_set() else "starting"
        trials = [one.canary for one in registry.trials] if registry else []
        return {
            "status": status,
            "version": __version__,
            "generation": registry.generation if registry else None,
            "canaries": [self._trials.get(one.generation) or told(one) for one in trials],
            "parts": parts,
            "providers": self.serving.board.counts(),
        }

    async def judge_trials(self) -> None:
        """End the trials of versions on which there is a verdict by now; their usage rows must be in the catalogue."""
        registry = self.serving.current
        if registry is None or not registry.trials:
            return
        judged = await asyncio.to_thread(judge, self.database, self.settings.generation.path, utc_now())
        self._trials = {one.canary.generation: told(one.canary, one.counts) for one in judged}
        if any(one.ended for one in judged):
            await self.reload()

    def _tell_others(self) -> None:
        """It counts here already; where the others cannot be told now, they see it at their next reload."""
        try:
            self.on_change()
        except OSError as error:
            _log.error("the other routers could not be told of a change: %s", error.strerror)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _monitor(self) -> None:
        await self.opened(seconds=None)
        await self.monitor.run()

    async def _flush_now_and_then(self) -> None:
        while not self._closing.is_set():
            added = await self.flush() if self._opened.is_set() else 0
            try:
                await self._keep_standings()
                if self._opened.is_set():
                    await asyncio.to_thread(self._upkeep.step, added)
                    await self.judge_trials()
            except Exception as error:  # noqa: BLE001 - a full disk, say: the journal moves on once there is room
                _log.error("what is due after a flush failed, and is tried again: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause(added)):
                    await self._closing.wait()

    def _pause(self, added: int) -> float:
        """Seconds until the next flush, after one of so many rows. A verdict on a trial waits for the rows."""
        if added < _BUSY_ROWS:
            return _FLUSH_SECONDS
        trials = self.serving.current.trials if self.serving.current else ()
        return _BUSY_SECONDS if trials or added < _MANY_ROWS else _MANY_SECONDS

    async def _keep_standings(self) -> None:
        if not self.serving.pool.has_unsaved:  # Else nobody is waited for.
            return
        async with self._changing:
            await self._keyring.keep_standings()

    async def _restart(self) -> None:
        await self.gate.close("restarting", self.settings.server.drain_seconds)
        before, self.serving.upstream = self.serving.upstream, self._upstream()
        await before.aclose()
        self._keyring.forget_master()
        opened = await self._tried_to_open()
        if self.gate.state == "restarting":  # and not told to end meanwhile
            self.gate.open()
        if not opened:
            await self.keep_opening()

    async def _tried_to_open(self) -> bool:
        try:
            await self.open()
        except Exception as error:  # noqa: BLE001 - the edge of the process: /health and the log tell
            _log.error("not all parts are up: %s", error)
            return False
        return True

    async def _step(self, part: str, work: Awaitable[object]) -> None:
        try:
            await work
        except Exception as error:
            self.parts.set(part, "down", str(error))
            raise

    def _upstream(self) -> PooledUpstream:
        routing = self.settings.routing
        limits = Limits(routing.first_byte_seconds, routing.idle_seconds)
        return PooledUpstream(self.allowed_private, limits=limits, connect_seconds=routing.connect_seconds)

    async def _load_rules(self) -> None:
        self.stored_rules = await asyncio.to_thread(routing.list_rules, self.database)
        configured = await asyncio.to_thread(self._reread)
        rules = {(rule.match, rule.client): rule for rule in (*configured.routing.rules, *self.stored_rules)}
        self.serving.rule(rules.values())
        self.parts.set("rules", "up")

    async def _load_tokens(self) -> None:
        """With another master key nobody comes in."""
        try:
            await self.tokens.load()
        except InvalidConfiguration as error:
            _log.error("tokens: %s", error)
            self.parts.set("tokens", "down", str(error))
        else:
            self.parts.set("tokens", "up")

    async def _load_prices(self, before: PriceBook | None) -> None:
        self.serving.prices = await asyncio.to_thread(load_book, self.database, before)
        self.parts.set("prices", "up")

    async def _load_registry(self) -> None:
        before = self.serving.current
        registry = await asyncio.to_thread(load_registry, self.database, self.settings.generation.path, before)
        # Only ever widened: a request that took the registry before still finds its host allowed.
        self.allowed_private.update(
            host_port(one.spec.base_url) for one in registry.served.values() if one.spec.operator_host
        )
        self.serving.swap(registry)
        amiss = " ".join((*registry.problems, *registry.notes))
        self.parts.set("registry", "down" if registry.problems else "up", amiss)
