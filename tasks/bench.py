"""What all runs of one process share, made once and kept warm."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Self

from modelscan.catalog import records
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.custody.sealing import Custody
from modelscan.logs import guard_logs
from modelscan.redaction import redact
from modelscan.settings import Settings, ensure_data_dir, load
from modelscan.types import SourceRecord
from modelscan.validation.sandbox import Sandbox

__all__ = ["Bench", "the_bench"]


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


@cache
def the_bench() -> Bench:
    """This process's own, from its settings; what it logs holds no secret from now on."""
    guard_logs(os.environ)
    bench = Bench.of(load().settings)
    redact.learn(bench.admin_token or "", *(key for keys in bench.settings.api_keys.values() for key in keys))
    return bench
