"""What the runs of one process share."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelscan.settings import Settings
from tasks.bench import Bench, the_bench

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def test_it_is_made_ready_and_reads_what_the_router_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench.of(settings, {"MODELSCAN_MASTER_KEY": "m" * 40})
    try:
        assert bench.database.path.exists()
        assert bench.saved("models.dev", "acme", None, since=_LONG_AGO) is None
        assert (bench.told("router.url"), bench.admin_token) == (None, None)
        (settings.data_dir / "router.url").write_text("http://127.0.0.1:1\n")
        (settings.data_dir / "admin.token").write_text("made\n")
        assert (bench.told("router.url"), bench.admin_token) == ("http://127.0.0.1:1", "made")
        monkeypatch.setenv("MODELSCAN_ADMIN_TOKEN", "given")
        assert bench.admin_token == "given"
    finally:
        bench.sandbox.close()


def test_a_process_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    the_bench.cache_clear()
    try:
        assert the_bench() is the_bench()
        assert the_bench().settings.data_dir.resolve() == tmp_path / "data"
    finally:
        the_bench().sandbox.close()
        the_bench.cache_clear()
