"""The service's keys: from where they are stored or given into the pool, and back what it learns of them."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import SecretStr, ValidationError

from modelscan.catalog import keys as table
from modelscan.catalog.database import Database
from modelscan.clients.registry import Served
from modelscan.custody.master import MASTER_VARIABLE, Masters
from modelscan.custody.rotation import Rotated, resume, rotate_master
from modelscan.custody.sealing import Custody
from modelscan.errors import ModelScanError
from modelscan.keys import store
from modelscan.keys.counter import Used
from modelscan.keys.store import UsableKey
from modelscan.limits import DAY, MINUTE
from modelscan.settings import Settings
from modelscan.sources.http import host_port
from modelscan.types import ApiKey, Identifier
from router_app.parts import Parts
from router_app.serving import Serving

__all__ = ["Keyring"]

_log = logging.getLogger(__name__)


class Keyring:
    """What is changed here counts from the next request on. One change at a time, under the service's lock."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        database: Database,
        serving: Serving,
        parts: Parts,
        on_master: Callable[[SecretStr], None],
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._database = database
        self._serving = serving
        self._parts = parts
        self._on_master = on_master
        self._custody: Custody | None = None
        self._keys: Mapping[str, Sequence[UsableKey]] = {}
        """All that can be opened, also those for servers that are not served now."""
        self._imported: dict[str, tuple[str, ...]] | None = None

    def forget_master(self) -> None:
        """Ask for the master key again: it may have been changed."""
        self._custody = None

    async def load(self, *, only_if_news: bool = False) -> None:
        """Take in the operator's keys, then open all. A key that cannot be opened or taken costs that, not the rest."""
        wanted = self._operator_keys()
        if only_if_news and wanted == self._imported:
            self._fill({})
            return
        faults = []
        finish = partial(asyncio.to_thread, resume, self._database, self._masters())
        for load in (finish, partial(asyncio.to_thread, self._import), self._load_pool):
            try:
                await load()
            except ModelScanError as error:
                _log.error("keys: %s", error)
                faults.append(str(error))
        self._imported = wanted
        self._parts.set("keys", "down" if faults else "up", " ".join(faults))

    async def add(self, provider: str, secret: SecretStr, base_url: str | None = None, label: str = "") -> ApiKey:
        """Seal and store a key, for the server at `base_url` alone where one is given, and use it from now on.

        Nothing is held any more against one that was there. Raises KeyLimitReached, InvalidInput.
        """
        host = host_port(base_url) if base_url else None
        add = partial(store.add_key, self._database, self.custody(), provider, secret, host=host, label=label)
        key = await asyncio.to_thread(add)
        await self._load_pool()
        self._serving.pool.enable(key.provider, key.id)
        return key

    async def enable(self, provider: str, named: str) -> ApiKey:
        """Use a key again, whatever was held against it. Raises KeyNotFound, KeyLimitReached."""
        key = await self._changed(provider, named, state="active", disabled_for=None, rests_until=None)
        self._serving.pool.enable(key.provider, key.id)
        return key

    async def disable(self, provider: str, named: str) -> ApiKey:
        """Use a key no longer; requests that run with it end. Raises KeyNotFound."""
        return await self._changed(provider, named, state="disabled", disabled_for="operator")

    async def limit(self, provider: str, named: str, limits: Mapping[str, int | None]) -> ApiKey:
        """Set some of `rpm`, `tpm` and `daily`; None: no limit. Raises KeyNotFound."""
        return await self._changed(provider, named, **limits)

    async def rotate(self, provider: str, named: str, secret: SecretStr) -> ApiKey:
        """Put a new key in the place of another, with its limits and label. Raises KeyNotFound, InvalidInput."""
        before = await asyncio.to_thread(table.find, self._database, provider, named)
        key = await asyncio.to_thread(store.rotate_key, self._database, self.custody(), before, secret)
        await self._load_pool()
        return key

    async def delete(self, provider: str, named: str) -> ApiKey:
        """Forget a key; its usage rows stay. Raises KeyNotFound, InvalidInput where it would come back."""
        key = await asyncio.to_thread(table.find, self._database, provider, named)
        await asyncio.to_thread(store.delete_key, self._database, key)
        await self._load_pool()
        return key

    async def rotate_master(self, fresh: SecretStr | None) -> Rotated:
        """Seal all under another master key, and use that from now on. Raises InvalidInput (the key)."""
        masters = self._masters()
        done = await asyncio.to_thread(rotate_master, self._database, masters, fresh)
        if masters.given and fresh:
            # The environment that the operator made is not changed by this: the next start needs a hand.
            self._environ = {**self._environ, MASTER_VARIABLE: fresh.get_secret_value().strip()}
            self._on_master(fresh)
        self.forget_master()
        return done

    async def opened(self, provider: str, named: str) -> UsableKey:
        """A key with its secret, active or not, to try it. Raises KeyNotFound, InvalidConfiguration."""
        key = await asyncio.to_thread(table.find, self._database, provider, named)
        secret = await asyncio.to_thread(store.opened, self._database, self.custody(), key)
        return UsableKey(key=key, secret=secret)

    async def keep_standings(self) -> None:
        """Store what providers hold against keys, where that has changed; what cannot be stored is, the next time."""
        standings = self._serving.pool.take_unsaved()
        try:
            await asyncio.to_thread(table.save_standings, self._database, standings)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests go on, and it is tried again
            _log.error("how the keys stand could not be stored: %s", error)
            self._serving.pool.give_back(standings)

    async def _changed(self, provider: str, named: str, **changed: Any) -> ApiKey:
        key = await asyncio.to_thread(table.find, self._database, provider, named)
        key = await asyncio.to_thread(partial(table.change, self._database, key, **changed))
        await self._load_pool()
        return key

    async def _load_pool(self) -> None:
        self._keys = await asyncio.to_thread(store.load, self._database, self.custody())
        self._fill(await asyncio.to_thread(self._used))

    def _fill(self, used: Mapping[str, Mapping[str, Used]]) -> None:
        served = self._served()
        hosts = {provider: host_port(one.spec.base_url) for provider, one in served.items() if one.spec.operator_host}
        sendable = {provider: store.sendable(keys, hosts.get(provider)) for provider, keys in self._keys.items()}
        self._serving.pool.replace(sendable, used)

    def _used(self) -> dict[str, dict[str, Used]]:
        """What the usage rows count in the current minute and day."""
        now = self._serving.pool.clock()
        minute, day = (datetime.fromtimestamp(one.bounds(now)[0], UTC) for one in (MINUTE, DAY))
        found = table.used_since(self._database, minute=minute, day=day)
        return {provider: {key: Used(*used) for key, used in keys.items()} for provider, keys in found.items()}

    def _masters(self) -> Masters:
        return Masters(self._settings.data_dir, self._environ)

    def custody(self) -> Custody:
        """What seals and opens; made at first use."""
        self._custody = self._custody or Custody.load(self._settings.data_dir, self._environ)
        return self._custody

    def _import(self) -> None:
        store.import_operator_keys(
            self._database,
            self.custody(),
            config={name: keys for name, keys in self._settings.api_keys.items() if _is_provider(name)},
            variables=self._variables(),
            environ=self._environ,
        )

    def _served(self) -> Mapping[str, Served]:
        registry = self._serving.current
        return registry.served if registry else {}

    def _variables(self) -> dict[str, tuple[str, ...]]:
        return {provider: one.spec.auth.env for provider, one in self._served().items()}

    def _operator_keys(self) -> dict[str, tuple[str, ...]]:
        """The providers' variables that are set, to notice when a new provider brings another."""
        return {
            provider: tuple(name for name in names if self._environ.get(name))
            for provider, names in self._variables().items()
            if any(self._environ.get(name) for name in names)
        }


def _is_provider(name: str) -> bool:
    try:
        Identifier(provider=name)
    except ValidationError:
        _log.warning("api_keys.%s: this is no provider id; its keys are not used", name)
        return False
    return True
