"""The router killed, its disk full, its catalogue locked or gone: what was answered has its row, once, in the end."""

import asyncio
import itertools
import random
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import httpx2
import orjson
import pytest

from bench.router import peer, tree
from modelscan.catalog.connection import Refused
from modelscan.catalog.database import Database
from modelscan.catalog.rows import rows
from modelscan.errors import ModelScanError
from modelscan.settings import Settings, load
from modelscan.types import Auth
from tests.e2e.service import CHECKOUT, Service, eventually
from tests.router_app.routers import a_spec, publish

KEY = "sk-killed-0123456789abcdef"
PRICE = {"price.input_mtok": "0.27", "price.output_mtok": "1.1"}
KILLS = 20
CALLERS = 8
KINDS = ("plain", "stream", "plain", "fail", "unknown")
ALONE = (str(CHECKOUT / "tests" / "e2e" / "router_alone.py"),)


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with peer() as url:
        yield url


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB for the data directory; without the right to make one there is none."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def router(upstream: str, tmp_path: Path) -> Iterator[Service]:
    """A router with a key and one provider, which answers."""
    quick = {"MODELSCAN_DATABASE_WAIT_SECONDS": "1", "MODELSCAN_ROUTING_RETRIES": "0"}
    folder = {"MODELSCAN_GENERATION_PATH": str(tmp_path / "generated")}
    service = Service(tmp_path, {**quick, **folder}, ALONE, covered=False)
    settings = settings_of(service)
    settings.data_dir.mkdir(mode=0o700, exist_ok=True)
    publish(settings, a_spec(upstream, "bench", ("bench",), auth=Auth()))
    service.start()
    service.api("POST", "/api/keys/add", json={"provider": "bench", "api_key": KEY}).raise_for_status()
    yield service
    assert service.stop() == 0


def settings_of(service: Service) -> Settings:
    return load(environ=service.environment).settings


def body_of(kind: str) -> dict[str, object]:
    model = "bench/nothing" if kind == "unknown" else "bench/bench"
    return {"model": model, "messages": [{"role": "user", "content": kind}], "stream": kind == "stream"}


async def asking(http: httpx2.AsyncClient, answered: list[str], kinds: Iterator[str]) -> None:
    """Ask until the router is gone; what was answered to its last byte is kept, by the id that it was answered with."""
    for kind in kinds:
        try:
            answer = await http.post("/v1/chat/completions", json=body_of(kind))
        except httpx2.TransportError:
            return
        assert answer.status_code == {"fail": 500, "unknown": 404}.get(kind, 200), answer.text
        assert kind != "stream" or answer.text.endswith("data: [DONE]\n\n")
        answered.append(answer.headers["x-request-id"])


async def killed_under_load(
    router: Service, caller: dict[str, str], answered: list[str], after: int, first: Callable[[], None] | None = None
) -> None:
    """Killed once so many more are answered, and what comes `first` under the load is done, wherever it is."""
    async with httpx2.AsyncClient(base_url=router.url, headers=caller, timeout=20, trust_env=False) as http:
        kinds = itertools.cycle(KINDS)
        callers = [asyncio.create_task(asking(http, answered, kinds)) for _ in range(CALLERS)]
        if first:
            await asyncio.to_thread(first)
        wanted = len(answered) + after
        async with asyncio.timeout(30):
            while len(answered) < wanted:  # noqa: ASYNC110 - another process's doing
                await asyncio.sleep(0.001)
        assert router.process is not None
        router.process.kill()
        await asyncio.gather(*callers)
        await asyncio.to_thread(router.process.wait)


def rows_of(service: Service) -> Counter[str]:
    """How often each request's id stands in the usage rows; what cannot be read now has none."""
    settings = settings_of(service)
    database = Database(settings.database_path, settings.database.wait_seconds)
    try:
        with database.read() as connection:
            return Counter(
                str(id_) for (id_,) in connection.execute("SELECT request_id FROM usage_tracking").fetchall()
            )
    except (ModelScanError, Refused):
        return Counter()


def all_there(service: Service, answered: list[str], seconds: float = 30) -> Counter[str]:
    """The rows, once every answered request has one."""

    def there() -> Counter[str] | None:
        found = rows_of(service)
        return found if set(answered) <= set(found) else None

    return eventually(there, seconds=seconds, every=0.2, what="a row for each answered request")


def chats(service: Service, count: int, caller: dict[str, str] | None = None) -> list[str]:
    """The ids of so many chats, each answered."""
    with httpx2.Client(base_url=service.url, headers=caller, timeout=20, trust_env=False) as http:
        answers = [http.post("/v1/chat/completions", json=body_of("plain")) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.headers["x-request-id"] for answer in answers]


def journal_is(service: Service, state: str) -> Callable[[], bool]:
    return lambda: service.health()["parts"]["journal"]["state"] == state


def test_killed_twenty_times_under_load_every_answered_request_has_its_row_once(router: Service) -> None:
    caller = limited(router)
    answered: list[str] = []
    moments = random.Random(5)
    for _ in range(KILLS):
        asyncio.run(killed_under_load(router, caller, answered, moments.randint(1, 40)))
        router.start()
    answered += chats(router, 5, caller)
    found = all_there(router, answered)
    assert len(set(answered)) == len(answered)
    assert set(found.values()) == {1}
    left = [path for path in settings_of(router).journal_dir.iterdir() if path.suffix not in (".jsonl", ".new")]
    assert left == []  # No segment was set aside as one that cannot be read.
    assert counted(router) == summed(router)
    assert Decimal(str(counted(router)["monthly_usd"])) > 0
    secrets = [KEY.encode(), caller["authorization"].split()[1].encode()]
    files = [file for file in router.home.rglob("*") if file.is_file()]
    assert [file for file in files for secret in secrets if secret in file.read_bytes()] == []


def test_the_master_key_is_changed_under_load_and_the_router_killed_after_it(router: Service) -> None:
    caller = limited(router)
    answered: list[str] = []

    def change() -> None:
        done = router.cli("keys", "rotate-master")
        assert done.returncode == 0, done.stderr
        assert "2 secrets are sealed under it now" in done.stdout  # The provider's key, and that of the tokens' hash.

    asyncio.run(killed_under_load(router, caller, answered, 20, first=change))
    router.start()
    assert set(all_there(router, answered + chats(router, 5, caller)).values()) == {1}
    assert len((settings_of(router).data_dir / "master.key").read_text().split()) == 1


def limited(service: Service) -> dict[str, str]:
    """A token with budgets in tokens and dollars, as the header that shows it; and a limit on the key, and a price."""
    (key,) = service.api("GET", "/api/keys?provider=bench").json()
    limit = {"provider": "bench", "key": key["id"], "daily": 10**6}
    service.api("POST", "/api/keys/limit", json=limit).raise_for_status()
    for field, value in PRICE.items():
        pin = {"kind": "pin", "subject": "bench/bench", "field": field, "value": value}
        service.api("POST", "/api/decisions", json=pin).raise_for_status()
    terms = {"daily_tokens": 10**9, "monthly_tokens": 10**10, "daily_usd": "1000", "monthly_usd": "10000"}
    issued = service.api("POST", "/api/tokens", json={"name": "caller", "terms": terms}).json()
    return {"authorization": f"Bearer {issued['token']}"}


def counted(service: Service) -> dict[str, object]:
    """What the router counts: the key's requests today, and what was used of each of the token's budgets."""
    (key,) = service.api("GET", "/api/keys/explain?provider=bench").json()
    daily = next(limit["used"] for limit in key["limits"] if limit["what"] == "requests a day")
    budgets = service.api("GET", "/api/tokens/caller").json()["limits"]
    assert {Decimal(limit["held"]) for limit in budgets} == {0}
    return {"key's requests": daily, **{limit["limit"]: Decimal(limit["used"]) for limit in budgets}}


SUMS = """
SELECT
    count(*) FILTER (key_id IS NOT NULL AND "at" >= date_trunc('day', now())) AS "key's requests",
    coalesce(sum(prompt_tokens + completion_tokens) FILTER ("at" >= date_trunc('day', now())), 0) AS daily_tokens,
    coalesce(sum(prompt_tokens + completion_tokens), 0) AS monthly_tokens,
    coalesce(sum(cost_usd) FILTER ("at" >= date_trunc('day', now())), 0) AS daily_usd,
    sum(cost_usd) AS monthly_usd
FROM usage_tracking
WHERE token_id IS NOT NULL
"""


def summed(service: Service) -> dict[str, object]:
    """What the rows say of the same, to the last digit."""
    with Database(settings_of(service).database_path).read() as connection:
        return rows(connection, SUMS)[0]


@contextmanager
def full_disk(service: Service) -> Iterator[None]:
    """No file of the router and its catalogue's process may grow: to a program it is as a disk without room."""
    assert service.process is not None
    pids = tree(service.process.pid)
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, most) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        for pid in pids & tree(service.process.pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before[pid])


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Nothing more can be written there."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            continue
    try:
        yield
    finally:
        filler.unlink()


def test_on_a_disk_that_is_really_full_requests_are_served_as_well(small_disk: Path, router: Service) -> None:
    served_all_the_same(router, filled(small_disk))


def test_with_a_full_disk_requests_are_served_and_their_rows_come_when_there_is_room(router: Service) -> None:
    served_all_the_same(router, full_disk(router))


def served_all_the_same(router: Service, full: AbstractContextManager[None]) -> None:
    answered = chats(router, 5)
    with full:
        answered += chats(router, 20)
        eventually(journal_is(router, "down"), seconds=20, what="that the journal is down")
        answered += chats(router, 5)
    answered += chats(router, 5)
    assert set(all_there(router, answered).values()) == {1}
    eventually(journal_is(router, "up"), seconds=20, what="that the journal is up again")


HOLDING = """
import duckdb, sys, time
deadline, held = time.monotonic() + 20, None
while held is None:
    try:
        held = duckdb.connect(sys.argv[1])
    except duckdb.IOException:  # The router has it now and then, too.
        if time.monotonic() > deadline:
            raise
        time.sleep(0.01)
print("held", flush=True)
sys.stdin.read()
"""


def test_with_a_locked_catalogue_requests_are_served_and_the_journal_is_kept(router: Service) -> None:
    path = str(settings_of(router).database_path)
    eventually(lambda: not rows_waiting(router), seconds=20, what="that nothing waits")
    command = [sys.executable, "-c", HOLDING, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        answered = chats(router, 20)
        eventually(journal_is(router, "down"), seconds=20, what="that the journal is down")
        answered += chats(router, 5)
        assert rows_waiting(router) >= 25
        holder.communicate()
    assert set(all_there(router, answered).values()) == {1}


def test_with_a_deleted_catalogue_requests_are_served_and_a_new_one_takes_in_their_rows(router: Service) -> None:
    settings = settings_of(router)
    eventually(lambda: not rows_waiting(router), seconds=20, what="that nothing waits")
    for file in settings.data_dir.glob(f"{settings.database_path.name}*"):
        file.unlink()
    answered = chats(router, 20)
    assert set(all_there(router, answered).values()) == {1}
    answered += chats(router, 5)
    assert set(all_there(router, answered).values()) == {1}


def rows_waiting(service: Service) -> int:
    """Whole lines in the journal's segments."""
    segments = settings_of(service).journal_dir.glob("*.jsonl")
    return sum(1 for segment in segments for line in segment.read_bytes().splitlines() if orjson.loads(line))
