"""`python -m bench.scale`: two routers and two workers on PostgreSQL and Redis, and what comes of it when some die."""

import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.prefect_cluster import Cluster
from tests.e2e.routers import Fleet
from tests.e2e.service import CHECKOUT, eventually
from tests.postgres_server import postgres_server
from tests.redis_server import redis_server

__all__ = ["main"]

_WHOLE = ("-m", "modelscan")


def main() -> None:
    """Tell each step with the seconds since the start; an AssertionError where one does not come."""
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {line}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="modelscan-scale-") as folder, postgres_server() as database:
        home = Path(folder)
        (home / "redis").mkdir()
        with redis_server(home / "redis", kept=True) as redis:
            shared = {
                "MODELSCAN_DATA_DIR": str(home / "data"),
                "MODELSCAN_GENERATION_PATH": str(home / "generated"),
                "MODELSCAN_REDIS_URL": redis.url,
            }
            cluster = Cluster(home, database.url, redis.url, shared)
            env = {
                **shared,
                "PREFECT_API_URL": cluster.url,
                "MODELSCAN_RUNNER_PARALLEL_RUNS": "0",
                "MODELSCAN_REDIS_TIMEOUT_SECONDS": "2",
            }
            routers = Fleet(home, 2, env, _WHOLE)
            try:
                cluster.start_server()
                say("the Prefect server answers, on PostgreSQL and Redis")
                cluster.deploy()
                say(f"prefect deploy --all, from {CHECKOUT.name}'s prefect.yaml")
                cluster.start_worker("worker1")
                cluster.start_worker("worker2")
                routers.start()
                say("two workers and two routers")
                added(routers, 0, "demo/echo")
                say("demo/echo is discovered by a worker, and served by both routers")
                cluster.kill("worker1")
                added(routers, 1, "demo/echo", refresh=True)
                say("one worker was killed: the other one discovers it again, asked by the other router")
                database.stop()
                database.start()
                redis.kill()
                redis.start()
                say("PostgreSQL and Redis were stopped at once, and started again")
                eventually(cluster.answers, seconds=120, every=0.5, what="the Prefect server")
                routers.together()
                added(routers, 0, "demo/echo", refresh=True)
                say("all goes on by itself: a third discovery is served by both routers")
                say(f"flow runs: {cluster.run_states()}")
            finally:
                routers.stop()
                cluster.stop()


def added(routers: Fleet, place: int, identifier: str, *, refresh: bool = False) -> None:
    """Ask one router for it, and have both of them answer with the new generation."""
    asker = routers.members[place]
    before = asker.health()["generation"] or 0
    asked = {"identifier": identifier, "refresh": refresh}
    discovery = asker.api("POST", "/api/discover", json=asked).json()

    def ended() -> str | None:
        found = asker.api("GET", f"/api/discoveries/{discovery['id']}").json()
        return str(found) if found.get("state", "failed") in ("succeeded", "failed") else None

    told = eventually(ended, seconds=300, every=0.5, what=f"the discovery of {identifier}")
    assert "'state': 'succeeded'" in told, told
    eventually(lambda: all(one.health()["generation"] > before for one in routers.members), what="the new generation")
    for member in routers.members:
        assert member.chat(identifier).status_code == 200, member.chat(identifier).text


if __name__ == "__main__":
    main()
