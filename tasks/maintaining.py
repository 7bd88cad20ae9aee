"""Removes what is old, a task each, and tells what was removed and how large things are."""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client

from modelscan.catalog.forgetting import forget_discoveries, forget_history, forget_records
from modelscan.types import utc_now
from modelscan.usage.journal import sweep
from modelscan.usage.upkeep import Upkeep
from tasks.bench import Bench
from tasks.logs import run_logger
from tasks.reporting import table
from tasks.retention import forget_runs, put_by, vacuumed

__all__ = [
    "Done",
    "keep_discoveries",
    "keep_history",
    "keep_journal",
    "keep_logs",
    "keep_prefect",
    "keep_records",
    "keep_usage",
    "report",
]

_RECORD = re.compile(r"\b[0-9a-f]{16}\b")


class Done(NamedTuple):
    """What one step did."""

    what: str
    removed: str
    kept: str


@task(name="maintain", task_run_name="usage", cache_policy=NO_CACHE, persist_result=False)
async def keep_usage(bench: Bench) -> Done:
    """As the router does between requests: each step is a transaction, so both may do it at once."""
    rolled, forgotten = await asyncio.to_thread(Upkeep(bench.database, bench.settings.usage).now)
    kept = bench.settings.usage
    return _told(
        "usage",
        f"{forgotten} old rows; {rolled} batches added up",
        f"{kept.retention_days} days by request, {kept.hourly_days} by hour, {kept.daily_days} by day",
    )


@task(name="maintain", task_run_name="journal", cache_policy=NO_CACHE, persist_result=False)
async def keep_journal(bench: Bench) -> Done:
    """What killed processes had only begun, and segments that were set aside long ago."""
    days = bench.settings.usage.retention_days
    removed = await asyncio.to_thread(sweep, bench.settings.journal_dir, timedelta(days=days))
    return _told("journal", f"{removed} leftovers", f"rejected segments: {days} days")


@task(name="maintain", task_run_name="history", cache_policy=NO_CACHE, persist_result=False)
async def keep_history(bench: Bench) -> Done:
    """Changes and their feed, letters, activations and changes of health that decide nothing any more."""
    days = bench.settings.database.history_days
    count = await asyncio.to_thread(forget_history, bench.database, utc_now() - timedelta(days=days))
    return _told("history", f"{count} rows", f"{days} days, and what still decides something")


@task(name="maintain", task_run_name="source answers", cache_policy=NO_CACHE, persist_result=False)
async def keep_records(bench: Bench) -> Done:
    """Answers of sources that were superseded, and that no specification, price or change cites."""
    days = bench.settings.discovery.retention_days
    cited = await asyncio.to_thread(_cited, bench.settings.generation.path)
    before = utc_now() - timedelta(days=days)
    count = await asyncio.to_thread(forget_records, bench.database, before, cited)
    return _told("source answers", f"{count} superseded", f"{days} days, the newest, and what is cited")


@task(name="maintain", task_run_name="discoveries", cache_policy=NO_CACHE, persist_result=False)
async def keep_discoveries(bench: Bench) -> Done:
    """Runs that ended long ago and led to no version."""
    days = bench.settings.discovery.retention_days
    count = await asyncio.to_thread(forget_discoveries, bench.database, utc_now() - timedelta(days=days))
    return _told("discoveries", f"{count} runs", f"{days} days, and those that led to a version")


@task(name="maintain", task_run_name="prefect", cache_policy=NO_CACHE, persist_result=False)
async def keep_prefect(bench: Bench) -> Done:
    """Flow runs with their task runs, logs and artifacts; then its file gives room back, where it is ours."""
    days = bench.settings.prefect.retention_days
    async with get_client() as client:
        runs, artifacts = await forget_runs(client, utc_now() - timedelta(days=days))
    given_back = await asyncio.to_thread(vacuumed, _prefect_file(bench))
    removed = f"{runs} flow runs, {artifacts} artifacts; {_size(given_back)} given back"
    return _told("prefect", removed, f"{days} days")


@task(name="maintain", task_run_name="logs", cache_policy=NO_CACHE, persist_result=False)
async def keep_logs(bench: Bench) -> Done:
    """Those of Prefect's API and of the runner, on the machine where this runs."""
    count = await asyncio.to_thread(put_by, bench.settings.data_dir / "logs")
    return _told("logs", f"{count} begun anew", "what came since, and what was there before")


async def report(bench: Bench, done: Sequence[Done], failed: Sequence[str]) -> None:
    """Create the artifact `maintenance`."""
    sizes = await asyncio.to_thread(_sizes, bench)
    parts = [
        "# What was removed",
        table(Done._fields, done) or "Nothing could be.",
        *("## What failed, and is tried again the next time\n\n" + table(("step",), ((one,) for one in failed)),)
        * bool(failed),
        "## How large things are",
        table(("what", "size"), sizes),
    ]
    await acreate_markdown_artifact(
        "\n\n".join(parts), key="maintenance", description="What was removed, and what is left."
    )


def _told(what: str, removed: str, kept: str) -> Done:
    run_logger().info("%s: removed %s; kept are %s", what, removed, kept)
    return Done(what, removed, kept)


def _cited(folder: Path) -> set[str]:
    """The records that published clients cite."""
    return {found for file in folder.glob("*.py") for found in _RECORD.findall(file.read_text(errors="replace"))}


def _prefect_file(bench: Bench) -> Path:
    return bench.settings.data_dir / "prefect" / "prefect.db"


def _sizes(bench: Bench) -> list[tuple[str, str]]:
    settings = bench.settings
    places = {
        "catalogue": [settings.database_path, settings.database_path.with_name(settings.database_path.name + ".wal")],
        "usage journal": list(settings.journal_dir.glob("*")),
        "published clients": list(settings.generation.path.glob("*.py")),
        "logs": list((settings.data_dir / "logs").glob("*")),
        "Prefect's database": list(_prefect_file(bench).parent.glob("prefect.db*")),
    }
    return [
        (what, _size(sum(file.stat().st_size for file in files if file.is_file()))) for what, files in places.items()
    ]


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
