"""The sandbox: what a generated test may see, how long it may take, and what comes back of it."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest
from pydantic import SecretStr

from modelscan.errors import ServiceUnavailable
from modelscan.validation.results import SandboxRun
from modelscan.validation.sandbox import Sandbox
from tests.validation.conftest import MEASURED

KEY = "sk-very-secret-key-0123456789"


def run(sandbox: Sandbox, body: str, timeout: float = 20, **env: str | SecretStr) -> SandboxRun:
    return sandbox.run({"test_it.py": body}, env, timeout)


def gone(pid: int) -> bool:
    """Whether the process `pid` ends within five seconds (a zombie counts as ended)."""
    deadline = monotonic() + 5
    while monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        sleep(0.01)
    return False


def await_file(file: Path) -> None:
    deadline = monotonic() + 30
    while not (file.exists() and file.read_text()):
        assert monotonic() < deadline
        sleep(0.01)


def test_each_outcome_is_told_with_its_reason(sandbox: Sandbox) -> None:
    seen = run(
        sandbox,
        """
import pytest

@pytest.fixture
def broken():
    raise KeyError("fixture")

def test_passes(): pass
def test_fails(): assert 1 == 2, "expected two"
def test_raises(): raise ValueError("odd")
def test_skips(): pytest.skip("not today")
def test_needs(broken): pass
""",
    )
    outcomes = seen.outcomes
    assert seen.problem == ""
    assert {name: outcome.outcome for name, outcome in outcomes.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_raises": "failed",
        "test_skips": "skipped",
        "test_needs": "failed",
    }
    assert outcomes["test_fails"].detail == "expected two\nassert 1 == 2"
    assert outcomes["test_raises"].detail == "ValueError: odd"
    assert outcomes["test_skips"].detail == "not today"
    assert "KeyError: 'fixture'" in outcomes["test_needs"].detail


def test_the_status_of_an_error_or_of_its_cause_is_told(sandbox: Sandbox) -> None:
    body = """
class Refused(Exception):
    status_code = 401

def test_direct(): raise Refused("no")
def test_caused():
    try:
        raise Refused("no")
    except Refused as error:
        raise AssertionError("wrapped") from error
def test_other(): assert False
"""
    outcomes = run(sandbox, body).outcomes
    assert [outcomes[f"test_{name}"].status for name in ("direct", "caused", "other")] == [401, 401, None]


def test_generated_code_sees_no_variable_of_ours(sandbox: Sandbox) -> None:
    body = """
import os

def test_it():
    assert False, " ".join(sorted(os.environ))
"""
    names = run(sandbox, body, GIVEN="1").outcomes["test_it"].detail.split("\n")[0].split()
    allowed = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOME", "GIVEN", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    assert "GIVEN" in names
    assert {name for name in names if not name.startswith(("PYTEST_", "COVERAGE_"))} <= allowed


def test_secrets_reach_the_test_and_are_hidden_in_what_comes_back(sandbox: Sandbox) -> None:
    body = """
import os

def test_it():
    assert False, "x" * 1985 + os.environ["KEY"] + " " + os.environ["PLAIN"]
"""
    seen = run(sandbox, body, KEY=SecretStr(KEY), PLAIN="plain")
    assert "[redacted]" in seen.outcomes["test_it"].detail
    assert KEY[:4] not in seen.model_dump_json()


def test_a_run_past_its_time_keeps_what_was_reported_and_is_killed_with_its_children(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    body = f"""
import os, subprocess, sys, time, pathlib

def test_first(): pass
def test_hangs():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path({str(tmp_path / "pids")!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
    time.sleep(60)
"""
    seen = run(sandbox, body, timeout=2)
    assert seen.problem == "timed out after 2 s"
    assert list(seen.outcomes) == ["test_first"]
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_test_that_cannot_be_collected_is_a_problem_in_words(sandbox: Sandbox) -> None:
    seen = run(sandbox, "import nothing_of_that_name")
    assert "could not be collected" in seen.problem
    assert "nothing_of_that_name" in seen.problem


def test_a_run_that_breaks_off_quotes_what_it_printed_without_secrets(sandbox: Sandbox) -> None:
    body = """
import os

def test_dies():
    print("last words", os.environ["KEY"], flush=True)
    os._exit(3)
"""
    seen = run(sandbox, body, KEY=SecretStr(KEY))
    assert "broke off" in seen.problem
    assert "last words [redacted]" in seen.problem


def test_files_lie_beside_each_other_in_a_fresh_folder_that_is_removed(sandbox: Sandbox) -> None:
    body = """
import os, pathlib, sibling_reader

def test_it(): assert False, sibling_reader.__file__
"""
    body = body.replace(
        "import os, pathlib, sibling_reader", "import os, sys; sys.path.insert(0, os.getcwd()); import sibling_reader"
    )
    seen = sandbox.run({"sibling_reader.py": "", "test_it.py": body}, {}, 20)
    place = Path(seen.outcomes["test_it"].detail.split("\n")[0])
    assert place.name == "sibling_reader.py"
    assert not place.parent.exists()


@pytest.mark.parametrize("name", ["../test_it.py", "/tmp/test_it.py", "sub/test_it.py", ""])
def test_only_plain_file_names_are_written(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        sandbox.run({name: ""}, {}, 5)


def test_what_one_run_does_to_its_process_is_unknown_to_the_next(sandbox: Sandbox) -> None:
    assert (
        run(sandbox, "import openai\nopenai.marked = True\ndef test_it(): pass").outcomes["test_it"].outcome == "passed"
    )
    body = "import openai\ndef test_it(): assert not hasattr(openai, 'marked')"
    assert run(sandbox, body).outcomes["test_it"].outcome == "passed"


def test_limits_hold_for_files_processor_time_and_core_dumps(sandbox: Sandbox) -> None:
    body = """
import resource

def test_limits():
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    assert resource.getrlimit(resource.RLIMIT_CPU)[0] <= 21
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= 256

def test_file():
    with open("big", "wb") as file:
        file.truncate(2**30)
"""
    outcomes = run(sandbox, body).outcomes
    assert outcomes["test_limits"].outcome == "passed"
    assert "OSError" in outcomes["test_file"].detail


def test_several_threads_run_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    barrier = f"""
import os, pathlib, time

def test_it():
    here = pathlib.Path({str(tmp_path)!r})
    (here / str(os.getpid())).touch()
    deadline = time.monotonic() + 30
    while len(list(here.iterdir())) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""
    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(lambda _: run(sandbox, barrier, timeout=40), range(4)))
    assert [outcome.outcomes["test_it"].outcome for outcome in seen] == ["passed"] * 4


def test_a_zygote_killed_between_runs_is_started_again() -> None:
    with Sandbox() as sandbox:
        assert run(sandbox, "def test_it(): pass").outcomes["test_it"].outcome == "passed"
        first = sandbox.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert gone(first)
        assert run(sandbox, "def test_it(): pass").outcomes["test_it"].outcome == "passed"
        assert sandbox.pid not in (None, first)


def test_a_zygote_killed_during_a_run_leaves_no_process_behind(tmp_path: Path) -> None:
    body = f"""
import os, pathlib, time

def test_it():
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
    time.sleep(60)
"""
    with Sandbox() as sandbox:
        seen: list[SandboxRun] = []
        thread = threading.Thread(target=lambda: seen.append(run(sandbox, body, timeout=3)))
        thread.start()
        await_file(tmp_path / "pid")
        assert sandbox.pid is not None
        os.kill(sandbox.pid, signal.SIGKILL)
        thread.join(20)
        assert seen[0].problem == "timed out after 3 s"
        assert gone(int((tmp_path / "pid").read_text()))


def test_closing_ends_the_zygote_and_what_it_runs() -> None:
    sandbox = Sandbox()
    sandbox.start()
    pid = sandbox.pid
    assert pid is not None
    sandbox.close()
    assert gone(pid)
    assert sandbox.pid is None


def test_a_sandbox_that_cannot_start_says_so_and_what_it_printed(tmp_path: Path) -> None:
    broken = tmp_path / "zygote.py"
    broken.write_text("raise SystemExit('no openai here')")
    with Sandbox(zygote=broken) as sandbox, pytest.raises(ServiceUnavailable, match="no openai here"):
        run(sandbox, "")


def test_a_sandbox_that_never_answers_is_given_up(tmp_path: Path) -> None:
    mute = tmp_path / "zygote.py"
    mute.write_text("import time; time.sleep(60)")
    with Sandbox(startup_seconds=0.5, zygote=mute) as sandbox, pytest.raises(ServiceUnavailable, match="no answer"):
        run(sandbox, "")


def test_a_sandbox_that_does_not_listen_is_given_up(tmp_path: Path) -> None:
    deaf = tmp_path / "zygote.py"
    deaf.write_text(f"""
import pathlib, socket, sys, time
socket.socket(fileno=int(sys.argv[1])).close()
pathlib.Path({str(tmp_path / "closed")!r}).write_text("now")
time.sleep(60)
""")
    with Sandbox(zygote=deaf) as sandbox:
        await_file(tmp_path / "closed")
        with pytest.raises(ServiceUnavailable, match="did not start"):
            run(sandbox, "")


def test_a_run_whose_zygote_died_in_its_sleep_is_not_lost() -> None:
    with Sandbox() as sandbox:
        assert sandbox.pid is not None
        os.kill(sandbox.pid, signal.SIGKILL)  # still importing: the request may already lie in its socket
        assert run(sandbox, "def test_it(): pass").outcomes["test_it"].outcome == "passed"


def test_the_words_of_long_failures_are_shortened(sandbox: Sandbox) -> None:
    detail = run(sandbox, "def test_it(): raise ValueError('x' * 5000)").outcomes["test_it"].detail
    assert detail.endswith("x …")
    assert len(detail) < 2100


def test_a_long_output_before_breaking_off_is_quoted_from_its_end(sandbox: Sandbox) -> None:
    body = "import os\ndef test_it():\n    print('x' * 5000, 'the end', flush=True)\n    os._exit(3)"
    assert run(sandbox, body).problem.endswith("the end")


def test_a_test_that_fails_in_its_teardown_too_keeps_its_first_reason(sandbox: Sandbox) -> None:
    body = """
import pytest

@pytest.fixture
def fragile():
    yield
    raise KeyError("teardown")

def test_fails(fragile): assert False, "first"
def test_passes(fragile): pass
"""
    outcomes = run(sandbox, body).outcomes
    assert outcomes["test_fails"].detail.startswith("first")
    assert (outcomes["test_passes"].outcome, outcomes["test_passes"].detail) == ("failed", "KeyError: 'teardown'")


def test_closing_during_a_run_ends_the_run(tmp_path: Path) -> None:
    body = f"""
import os, pathlib, time

def test_it():
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
    time.sleep(60)
"""
    sandbox = Sandbox(inherit=MEASURED)
    seen: list[SandboxRun] = []
    thread = threading.Thread(target=lambda: seen.append(run(sandbox, body, timeout=30)))
    thread.start()
    await_file(tmp_path / "pid")
    sandbox.close()
    thread.join(20)
    assert "broke off" in seen[0].problem
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_run_that_removes_its_own_output_still_says_that_it_broke_off(sandbox: Sandbox) -> None:
    seen = run(sandbox, "import os\ndef test_it():\n    os.remove('output.log')\n    os._exit(3)")
    assert seen.problem == "the run broke off before its end."


def test_closing_while_a_run_waits_for_the_start_gives_it_up(tmp_path: Path) -> None:
    mute = tmp_path / "zygote.py"
    mute.write_text(f"import pathlib, time; pathlib.Path({str(tmp_path / 'up')!r}).write_text('now'); time.sleep(60)")
    sandbox = Sandbox(startup_seconds=5, zygote=mute)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(run, sandbox, "")
        for _ in range(2):  # the run starts it once more
            await_file(tmp_path / "up")
            (tmp_path / "up").unlink()
            sandbox.close()
        with pytest.raises(ServiceUnavailable, match="no answer"):
            waiting.result(20)
