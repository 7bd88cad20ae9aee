"""Several processes may run generated tests over one warm zygote, each over a side of its own."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelscan.validation.sandbox import Sandbox
from tests.validation.test_sandbox import await_file, gone, run

PASSES = "def test_it(): pass"


def passes(sandbox: Sandbox) -> bool:
    return run(sandbox, PASSES).outcomes["test_it"].outcome == "passed"


def test_sides_of_one_zygote_run_tests_beside_each_other() -> None:
    with Sandbox() as sandbox:
        first, second = sandbox.shared(), sandbox.shared()
        assert passes(first)
        assert passes(second)
        first.close()
        assert passes(second)
        assert passes(sandbox)
        second.close()


def test_what_runs_for_a_side_ends_with_it_and_the_others_go_on(tmp_path: Path) -> None:
    body = f"""
import os, pathlib, time

def test_it():
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
    time.sleep(60)
"""
    with Sandbox() as sandbox:
        side = sandbox.shared()
        with ThreadPoolExecutor() as pool:
            running = pool.submit(run, side, body, 30)
            await_file(tmp_path / "pid")
            side.leave()
            assert "broke off" in running.result(20).problem
        assert gone(int((tmp_path / "pid").read_text()))
        assert passes(sandbox)


def test_a_side_whose_zygote_died_starts_one_of_its_own() -> None:
    with Sandbox() as sandbox:
        side = sandbox.shared()
        before = sandbox.pid
        assert before
        os.kill(before, signal.SIGKILL)
        assert gone(before)
        assert passes(side)
        assert side.pid not in (None, before)
        side.close()
        again = sandbox.shared()
        assert passes(again)
        again.close()
