"""A run as the tasks share it, without Prefect: its bench in this test's own folder, its row in the catalogue."""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from modelscan.catalog import discoveries
from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody
from modelscan.settings import Settings, ensure_data_dir
from modelscan.sources.http import open_client
from modelscan.types import Discovery, Identifier, utc_now
from modelscan.validation.sandbox import Sandbox
from tasks.bench import Bench
from tasks.run import Run
from tasks.telling import Telling
from tests.catalogues import migrate


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    """Without a warm sandbox: what a test runs in it starts it."""
    ensure_data_dir(settings)
    database = Database(settings.database_path)
    migrate(database)
    with Sandbox() as sandbox:
        yield Bench(settings, database, Custody(SecretStr("master")), sandbox)


@pytest.fixture
def run(bench: Bench) -> Run:
    """A run of acme/small that has begun."""
    discovery = Discovery(id="d1", identifier="acme/small", created_at=utc_now())
    discoveries.create(bench.database, discovery)
    return Run(
        bench,
        discovery,
        Telling(bench.database, discovery),
        Identifier.parse("acme/small"),
        open_client(),
        asyncio.Semaphore(5),
    )
