"""The story of the README, typed by a person: each test is one of its lines."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import openai
import pytest

from bench.router import tree
from tests.e2e.conftest import CANARIES, KEY
from tests.e2e.service import Service, eventually
from tests.tasks.running.test_zygote import is_there

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module")
def demo(service: Service) -> object:
    """`modelscan add demo/echo`, typed at once: Prefect may still be starting, so it is queued."""
    return service.add("demo/echo")


def test_the_demo_needs_no_key_and_is_live(service: Service, demo: dict[str, object]) -> None:
    assert demo["state"] == "succeeded"
    assert demo["level"] == "live"
    answer = service.chat("demo/echo", "hello there")
    assert answer.status_code == 200
    assert "hello there" in answer.json()["choices"][0]["message"]["content"]
    assert answer.headers["x-modelscan-provider"] == "demo"
    assert int(answer.headers["x-modelscan-generation"]) >= int(str(demo["generation"]))
    assert answer.headers["x-request-id"]


def test_the_openai_sdk_chats_and_streams(service: Service, demo: object) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0) as client:
        plain = client.chat.completions.create(model="demo:echo", messages=[{"role": "user", "content": "one"}])
        assert "one" in str(plain.choices[0].message.content)
        with client.chat.completions.create(
            model="echo",
            messages=[{"role": "user", "content": "two"}],
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:
            chunks = list(stream)
        assert "two" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert chunks[-1].usage is not None
        assert "demo/echo" in {model.id for model in client.models.list()}


def test_adding_what_is_there_changes_nothing(service: Service, demo: dict[str, object]) -> None:
    before = (service.home / "generated" / "demo.py").read_bytes()
    assert service.add("demo/echo", "--refresh")["version"] == demo["version"]
    assert (service.home / "generated" / "demo.py").read_bytes() == before


def test_a_server_of_ones_own_is_added_by_its_address(service: Service, upstream: str) -> None:
    added = service.add("mine/small", "--base-url", upstream, "--api-key", KEY)
    assert (added["level"], added["error"]) == ("live", None)
    assert service.chat("mine/small").status_code == 200


def test_a_known_provider_without_a_key_is_probed_and_with_one_is_live(service: Service) -> None:
    added = service.add("acme/small")
    assert added["level"] == "probe"
    assert "key" in added["why_not_higher"]
    assert service.chat("acme/small").json()["error"]["code"] == "no-usable-key"
    again = service.add("acme/small", "--api-key", KEY)
    assert again["level"] == "live"
    assert {step["name"]: step["state"] for step in again["steps"]}["scrape models.dev"] == "cached"
    assert service.chat("acme/small").status_code == 200


def test_a_provider_that_cannot_be_reached_stays_at_contract_and_says_why(service: Service) -> None:
    added = service.add("ghost/small", "--api-key", "sk-ghost-0123456789")
    assert added["level"] == "contract"
    assert "reach" in added["why_not_higher"]
    answer = service.chat("ghost/small")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")


def test_an_unknown_identifier_is_answered_with_the_nearest_names(service: Service) -> None:
    done = service.cli("add", "acmee/small")
    assert done.returncode == 1
    assert "acme" in done.stdout + done.stderr
    answer = service.api("POST", "/api/providers/add?wait=60", json={"identifier": "acmee/small"})
    assert (answer.status_code, answer.json()["nearest"][0]) == (404, "acme")


def test_a_server_that_is_no_llm_api_is_refused_with_the_cases_that_failed(service: Service, models_dev: str) -> None:
    done = service.cli("add", "bogus/model", "--base-url", models_dev.rsplit("/", 1)[0], "--json")
    assert done.returncode == 1
    assert "bogus" not in {
        provider["id"] for provider in service.api("GET", "/api/providers").json() if provider["state"] == "active"
    }
    found = next(run for run in service.api("GET", "/api/discoveries").json() if run["identifier"] == "bogus/model")
    assert found["state"] == "failed"
    assert found["error"]["fields"]["failed"]


def test_a_discovery_that_fails_leaves_the_last_good_version_in_service(
    service: Service, upstream: str, models_dev: str
) -> None:
    good = service.add("kept/small", "--base-url", upstream, "--api-key", KEY)
    module = (service.home / "generated" / "kept.py").read_bytes()
    done = service.cli("add", "kept/small", "--base-url", models_dev.rsplit("/", 1)[0])
    assert done.returncode == 1
    assert "loop 1 is red: " in done.stderr
    assert (service.home / "generated" / "kept.py").read_bytes() == module
    (kept,) = [sdk for sdk in service.api("GET", "/api/sdks").json() if sdk["provider"] == "kept"]
    assert kept["version"] == good["version"]
    assert service.chat("kept/small").status_code == 200


def test_the_generated_client_works_on_its_own_and_its_contract_test_passes(service: Service, demo: object) -> None:
    generated = service.home / "generated"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-c",
            "/dev/null",
            "test_demo.py",
        ],
        cwd=generated,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_every_answered_request_has_its_usage_row(service: Service, demo: object) -> None:
    def requests_counted() -> int:
        rows = service.api("GET", "/api/stats?model=echo").json()
        return sum(row["requests"] for row in rows if row["provider"] == "demo")

    before = requests_counted()
    for _ in range(5):
        assert service.chat("demo/echo").status_code == 200
    eventually(lambda: requests_counted() >= before + 5, seconds=20, what="the usage rows")


def test_a_key_is_nowhere_in_clear(service: Service, upstream: str) -> None:
    service.add("mine/small", "--base-url", upstream, "--api-key", KEY)
    assert service.chat("mine/small").status_code == 200
    service.api("POST", "/api/keys/add", json={"provider": "canary", "api_key": "sk-canary-7f3e9b2d5a1c"})
    assert "sk-canary-7f3e9b2d5a1c" not in service.api("GET", "/api/keys?provider=canary").text
    assert {row["provider"] for row in service.api("GET", "/api/keys").json()} >= {"canary", "mine"}
    assert service.chat(KEY).status_code == 404
    assert service.cli("add", KEY).returncode == 1
    secrets = [secret.encode() for secret in ("sk-canary-7f3e9b2d5a1c", KEY, *CANARIES)]
    files = [path for path in service.home.rglob("*") if path.is_file() and path.name != "config.yaml"]
    # The catalogue, Prefect's own database and its logs, the journal, the generated modules, what was printed.
    assert {"modelscan.duckdb", "prefect.db", "prefect.log", "serve.log", "mine.py"} <= {path.name for path in files}
    assert [path for path in files for secret in secrets if secret in path.read_bytes()] == []


def test_no_process_shows_a_secret_to_those_beside_it(service: Service, demo: object) -> None:
    assert service.process is not None
    lines = {pid: told_of(pid, "cmdline").replace(b"\0", b" ") for pid in tree(service.process.pid)}
    secrets = [secret.encode() for secret in (KEY, *CANARIES, service.admin["authorization"].split()[1])]
    assert [line for line in lines.values() for secret in secrets if secret in line] == []
    assert {b"flows.prefect_api", b"flows.runner"} <= {word for line in lines.values() for word in line.split()}
    need_some = {pid for pid, line in lines.items() if line.split()[-1:] in ([b"serve"], [b"flows.runner"])}
    assert len(need_some) >= 3  # The router, the runner's two processes, and a run that ends just now, perhaps.
    shown = [lines[pid] for pid in lines.keys() - need_some for secret in secrets if secret in told_of(pid, "environ")]
    assert shown == []


def told_of(pid: int, what: str) -> bytes:
    """What the system tells of a process; nothing of one that has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_a_restart_says_503_and_serves_again(service: Service, demo: object) -> None:
    assert service.api("POST", "/api/restart").status_code == 202
    statuses: list[int] = []

    def served_again() -> bool:
        statuses.append(service.chat("demo/echo").status_code)
        return statuses[-1] == 200 and service.health()["status"] == "ok"

    eventually(served_again, seconds=60, what="the service after its restart")
    assert set(statuses) <= {200, 503}


def test_the_commands_read_what_is_there(service: Service, demo: object) -> None:
    for command in (("providers",), ("models",), ("keys", "list"), ("sdks",), ("stats",)):
        done = service.cli(*command, "--json")
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout)


def test_the_runner_opens_keys_under_a_master_key_that_was_changed_meanwhile(service: Service, upstream: str) -> None:
    at = ("sealed/small", "--base-url", upstream)  # Another test wants a provider of models.dev without a key.
    service.add(*at, "--api-key", KEY)
    before = (service.home / "data" / "master.key").read_text()
    done = service.cli("keys", "rotate-master")
    assert done.returncode == 0, done.stderr
    assert (service.home / "data" / "master.key").read_text() != before
    assert service.add(*at, "--refresh")["level"] == "live"  # The provider wants its key, also of the runner.
    assert service.chat("sealed/small").status_code == 200


def test_killed_at_any_moment_it_starts_again_clean_and_goes_on_waiting_for_approval(
    models_dev: str, tmp_path: Path
) -> None:
    env = {
        "MODELSCAN_DISCOVERY_MODELS_DEV_URL": models_dev,
        "MODELSCAN_DISCOVERY_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        "MODELSCAN_DISCOVERY_ACTIVATION": "approve",
        "MODELSCAN_SERVER_PORT": "0",
    }
    service = Service(tmp_path, env, covered=False).start()
    processes: set[int] = set()

    def kill_and_start() -> None:
        assert service.process is not None
        processes.update(tree(service.process.pid))
        service.kill()
        service.start()

    queued = service.api("POST", "/api/providers/add", json={"identifier": "acme/small", "api_key": KEY})
    assert queued.status_code == 202
    kill_and_start()
    try:
        url = f"/api/discoveries/{queued.json()['id']}"
        waiting = service.api("GET", f"{url}?wait=120").json()
        assert (waiting["state"], waiting["level"], waiting["version"]) == ("waiting", "live", None)
        assert {"field": "models.added", "before": "none", "after": "small"} in waiting["changes"]
        assert service.chat("acme/small").status_code == 404
        kill_and_start()
        approved = service.api("POST", f"{url}/approve?wait=120")
        assert (approved.status_code, approved.json()["state"]) == (200, "succeeded"), approved.text
        assert service.chat("acme/small").status_code == 200
        assert service.api("POST", f"{url}/refuse").json()["code"] == "not-waiting"
        approve_in_the_prefect_ui(service, "demo/echo")
        kill_and_start()
        eventually(lambda: service.chat("acme/small").status_code == 200, seconds=15, what="the model after kill -9")
        assert service.stop() == 0
        eventually(lambda: not any(map(is_there, processes)), what="the end of all that the killed ones started")
    finally:
        if service.process and service.process.poll() is None:
            service.kill()


def approve_in_the_prefect_ui(service: Service, identifier: str) -> None:
    """Resume the suspended run with the form's input, as the UI does; Prefect refuses a second time."""
    held = service.api("POST", "/api/providers/add?wait=60", json={"identifier": identifier}).json()
    assert held["state"] == "waiting"
    run = f"/flow_runs/{held['flow_run_id']}"
    eventually(lambda: service.prefect("GET", run)["state_type"] == "PAUSED", what="the suspension")
    said = {"run_input": {"approve": True}}
    # A run is called paused a moment before what it asks for is stored; until then Prefect rejects what is answered.
    resumed = partial(service.prefect, "POST", f"{run}/resume", json=said)
    eventually(lambda: resumed().get("status") == "ACCEPT", what="the resumption")
    assert resumed()["status"] == "ABORT"
    url = f"/api/discoveries/{held['id']}"
    eventually(lambda: service.api("GET", url).json()["state"] == "succeeded", what="the publication")
    assert service.chat(identifier).status_code == 200


def test_the_router_itself_holds_no_duckdb(service: Service, demo: object) -> None:
    assert service.process is not None
    loaded = Path(f"/proc/{service.process.pid}/maps").read_text()
    assert "uvloop" in loaded
    assert "duckdb" not in loaded
