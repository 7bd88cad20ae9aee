"""`python -m tests.tasks.running.warm_home`: a warm home without a zygote around it, and what it should be."""

import threading
from pathlib import Path
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun
from pydantic import SecretStr

from flows.deployments import DEPLOYMENTS
from tasks.bench import the_bench
from tasks.running import home as module
from tasks.running.home import WarmHome
from tasks.running.zygote import Order


def executed(*given: object) -> int:
    """Instead of a run: what it would see."""
    flow, run, line, take = given
    assert (flow, line) == (DEPLOYMENTS[0].flow, 7)
    assert isinstance(run, FlowRun)
    assert run.parameters == {"identifier": "demo/echo"}
    bench = the_bench()
    assert take == bench.custody.take
    assert bench.custody.id == before
    assert bench.sandbox is not home._bench.sandbox
    bench.sandbox.close()
    return 5


home = WarmHome(DEPLOYMENTS)
assert threading.active_count() == len(list(Path("/proc/self/task").iterdir())) == 1
home.prepare()()
home.take(SecretStr("another master key, of 32 letters"))
before = home._bench.custody.id
home.prepare()
run = FlowRun(flow_id=uuid4(), parameters={"identifier": "demo/echo"}).model_dump(mode="json")
setattr(module, "execute", executed)  # noqa: B010 - what it is for is told by its type otherwise
assert home.execute(Order(id="1", deployment="discover-provider", run=run, memory_bytes=1), 7) == 5
home.close()
