"""What a process logs, and the tracebacks it ends with, hold no secret."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from modelscan.logs import guard_logs
from modelscan.redaction import REDACTED, redact

KEY = "canary-logs-4e6a8c0d2b1f"
SHAPED = "sk-proj-abcdefghij0123456789ABCDEFGHIJ"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a library's own handler writes, in a process that guards its logs."""
    for name in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr("threading.excepthook", None)
    before = logging.getLogRecordFactory()
    guard_logs({"ACME_API_KEY": KEY, "SHORT_KEY": "true"})
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("library")
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)
    logging.setLogRecordFactory(before)


def test_logs_are_guarded_once_and_know_more_secrets_each_time(log: io.StringIO) -> None:
    guard_logs({"OTHER_TOKEN": "canary-other-token"})
    logging.getLogger("library").error("canary-other-token %s", KEY)
    assert log.getvalue() == f"{REDACTED} {REDACTED}\n"


def test_a_process_without_standard_error_ends_quietly(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    sys.excepthook(ValueError, ValueError("nobody hears it"), None)
    assert log.getvalue() == ""


def test_a_secret_is_taken_out_of_message_and_arguments(log: io.StringIO) -> None:
    logging.getLogger("library").error("sent %s to %s", KEY, "acme")
    logging.getLogger("library").error(f"and {SHAPED}, true")
    assert log.getvalue() == f"sent {REDACTED} to acme\nand {REDACTED}, true\n"


def test_it_is_taken_out_of_a_traceback_and_its_causes(log: io.StringIO) -> None:
    try:
        try:
            raise ValueError(f"cause {KEY}")
        except ValueError as cause:
            raise KeyError(SHAPED) from cause
    except KeyError:
        logging.getLogger("library").exception("failed")
    assert KEY not in log.getvalue()
    assert SHAPED not in log.getvalue()
    assert f"ValueError: cause {REDACTED}" in log.getvalue()


def test_what_holds_none_is_left_as_it_is(log: io.StringIO) -> None:
    try:
        raise ValueError("plain")
    except ValueError:
        logging.getLogger("library").exception("failed %d", 1)
    logging.getLogger("library").error("no error", exc_info=True)
    assert log.getvalue().startswith("failed 1\nTraceback (most recent call last):")
    assert "ValueError: plain\n" in log.getvalue()


def test_arguments_that_do_not_fit_are_loggings_own_affair(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logging.getLogger("library").error("%d", "not a number")
    assert log.getvalue() == ""


def test_what_is_learnt_later_is_taken_out_too(log: io.StringIO) -> None:
    redact.learn("canary-learnt-later")
    logging.getLogger("library").error("canary-learnt-later")
    assert log.getvalue() == f"{REDACTED}\n"


PROGRAM = """
import os, sys, threading
from modelscan.logs import guard_logs
guard_logs(os.environ)
key = os.environ["ACME_API_KEY"]
def fail():
    raise ValueError("thread " + key)
thread = threading.Thread(target=fail); thread.start(); thread.join()
leave = threading.Thread(target=sys.exit); leave.start(); leave.join()
class Noisy:
    def __del__(self):
        raise ValueError("unraisable " + key)
Noisy()
raise {ending}
"""


@pytest.mark.parametrize(("ending", "last"), [("ValueError('end ' + key)", "end"), ("KeyboardInterrupt()", "")])
def test_the_tracebacks_that_a_process_ends_with_hold_none(ending: str, last: str) -> None:
    environ = {**os.environ, "ACME_API_KEY": KEY}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(ending=ending)], env=environ, capture_output=True, text=True, check=False
    )
    assert KEY not in done.stdout + done.stderr
    assert all(f"{word} {REDACTED}" in done.stderr for word in ("thread", "unraisable", last) if word)
    assert done.returncode != 0
