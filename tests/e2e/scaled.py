"""Two routers and two workers on one data directory, a Prefect server on PostgreSQL, and Redis between them all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.prefect_cluster import Cluster
from tests.e2e.routers import Fleet
from tests.e2e.service import eventually
from tests.postgres_server import PostgresServer, postgres_server
from tests.redis_server import RedisServer, redis_server

__all__ = ["Scaled", "scaled"]

_WHOLE = ("-m", "modelscan")


@dataclass(frozen=True)
class Scaled:
    """The parts; none of ours is started yet."""

    database: PostgresServer
    redis: RedisServer
    cluster: Cluster
    routers: Fleet

    def restart_stores(self) -> None:
        """PostgreSQL and Redis, at once and without a word; return once all have found them again."""
        self.database.stop()
        self.redis.kill()
        self.database.start()
        self.redis.start()
        eventually(self.cluster.answers, seconds=120, every=0.5, what="the Prefect server")
        self.routers.together()

    def ask(self, place: int, identifier: str, **more: object) -> str:
        """Ask the router at that place; the discovery's id."""
        asked = {"identifier": identifier, **more}
        answer = self.routers.members[place].api("POST", "/api/discover", json=asked)
        return str(answer.json()["id"])

    def ended(self, place: int, discovery: str) -> dict[str, Any]:
        """The discovery, once it has ended."""
        asker = self.routers.members[place]

        def told() -> dict[str, Any] | None:
            found: dict[str, Any] = asker.api("GET", f"/api/discoveries/{discovery}").json()
            return found if found.get("state", "failed") in ("succeeded", "failed") else None

        return eventually(told, seconds=300, every=0.5, what=f"the end of the discovery {discovery}")

    def added(self, place: int, identifier: str, **more: object) -> dict[str, Any]:
        """Ask one router for it, and have all of them answer with the new generation."""
        before = self.routers.members[place].health()["generation"] or 0
        found = self.ended(place, self.ask(place, identifier, **more))
        assert found["state"] == "succeeded", found
        members = self.routers.members

        def served() -> bool:
            return all((one.health()["generation"] or 0) > before for one in members)

        eventually(served, what="the new generation")
        for member in members:
            assert member.chat(identifier).status_code == 200, member.chat(identifier).text
        return found


@contextmanager
def scaled() -> Iterator[Scaled]:
    """In a folder of its own; skips the test where PostgreSQL or Redis is missing."""
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
            for member in routers.members:
                member.covered = False
            try:
                yield Scaled(database, redis, cluster, routers)
            finally:
                routers.stop()
                cluster.stop()
