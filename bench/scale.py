"""`python -m bench.scale`: two routers and two workers on PostgreSQL and Redis, and what comes of it when some die."""

import sys
import time

from tests.e2e.scaled import scaled
from tests.e2e.service import CHECKOUT

__all__ = ["main"]


def main() -> None:
    """Tell each step with the seconds since the start; an AssertionError where one does not come."""
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {line}\n")
        sys.stdout.flush()

    with scaled() as all_:
        cluster, routers = all_.cluster, all_.routers
        cluster.start_server()
        say("the Prefect server answers, on PostgreSQL and Redis")
        cluster.make_pool()
        cluster.deploy()
        say(f"prefect deploy --all, from {CHECKOUT.name}'s prefect.yaml")
        cluster.start_worker("worker1")
        cluster.start_worker("worker2")
        routers.start()
        say("two workers and two routers")
        all_.added(0, "demo/echo")
        say("demo/echo is discovered by a worker, and served by both routers")
        cluster.kill("worker1")
        all_.added(1, "demo/echo", refresh=True)
        say("one worker was killed: the other one discovers it again, asked by the other router")
        all_.restart_stores()
        all_.added(0, "demo/echo", refresh=True)
        say("PostgreSQL and Redis were stopped at once, and started again: a third discovery is served by both routers")
        say(f"flow runs: {cluster.run_states()}")


if __name__ == "__main__":
    main()
