"""What all runs of one process share, made once and kept warm."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Self

from modelscan.catalog import records
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.custody.sealing import Custody
from modelscan.errors import CatalogError
from modelscan.logs import guard_logs
from modelscan.redaction import redact
from modelscan.settings import Settings, ensure_data_dir, load
from modelscan.types import SourceRecord
from modelscan.validation.sandbox import Sandbox

__all__ = ["Bench", "guarded_settings", "the_bench", "use", "warm"]


@dataclass(frozen=True)
class Bench:
    """Settings, catalogue, custody and sandbox."""

    settings: Settings
    database: Database
    custody: Custody
    sandbox: Sandbox

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str] = os.environ) -> Self:
        """Make them; the catalogue is brought up to date, and the sandbox gets warm in the background."""
        data_dir = ensure_data_dir(settings)
        database = Database(settings.database_path, settings.database.wait_seconds)
        migrate(database)
        sandbox = Sandbox()
        sandbox.start()
        return cls(settings, database, Custody.load(data_dir, environ), sandbox)

    def saved(self, source: str, subject: str, url: str | None, since: datetime) -> SourceRecord | None:
        """A source's answer that the catalogue has and that is young enough."""
        return records.latest(self.database, source, subject, url=url, since=since)

    @property
    def admin_token(self) -> str | None:
        """The router's admin token."""
        return os.environ.get("MODELSCAN_ADMIN_TOKEN") or self.told("admin.token")

    def told(self, name: str) -> str | None:
        """What the router wrote into a file of the data directory: `router.url`, `reference.url`, `admin.token`."""
        try:
            return (Path(self.settings.data_dir) / name).read_text().strip() or None
        except OSError:
            return None


_given: list[Bench] = []


@cache
def the_bench() -> Bench:
    """This process's own, from its settings; what it logs holds no secret from now on."""
    if _given:
        return _given[-1]
    bench = Bench.of(guarded_settings())
    _learn(bench)
    return bench


def guarded_settings() -> Settings:
    """The settings of this process, which logs no secret of its environment from now on."""
    guard_logs(os.environ)
    return load().settings


def warm() -> Bench:
    """As `the_bench`, but made without a thread, so that this process may be forked: another one works with DuckDB.

    Raises CatalogError where the catalogue cannot be brought up to date; the log says why.
    """
    settings = guarded_settings()
    data_dir = ensure_data_dir(settings)
    database = Database(settings.database_path, settings.database.wait_seconds)
    _migrated_apart(database)
    sandbox = Sandbox()
    sandbox.start()
    bench = Bench(settings, database, Custody.load(data_dir, os.environ), sandbox)
    _learn(bench)
    return bench


def use(bench: Bench, sandbox: Sandbox) -> Bench:
    """Have `the_bench` be this one with another sandbox: in a process that was forked from a warm one."""
    _given.append(replace(bench, sandbox=sandbox))
    the_bench.cache_clear()
    return the_bench()


def _learn(bench: Bench) -> None:
    redact.learn(bench.admin_token or "", *(key for keys in bench.settings.api_keys.values() for key in keys))


def _migrated_apart(database: Database) -> None:
    import modelscan.catalog.engine  # noqa: F401 - 0.3 s: here once, and not in each process that is forked

    pid = os.fork()
    if pid == 0:  # pragma: no cover - the child ends without telling coverage
        code = 1
        try:
            migrate(database)
            code = 0
        except BaseException:
            logging.getLogger(__name__).exception("the catalogue could not be brought up to date")
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise CatalogError("The catalogue could not be brought up to date.", hint="See runner.log.")
