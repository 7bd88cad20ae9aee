"""The reporter that a sandboxed pytest carries, here in this process."""

import itertools
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from modelscan.validation.zygote import Reporter, pytest_arguments

pytest_plugins = ["pytester"]

Report = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def report(pytester: pytest.Pytester) -> Report:
    def run(body: str) -> list[dict[str, Any]]:
        pytester.makepyfile(test_it=body)
        reading, writing = os.pipe()
        with open(reading, encoding="utf-8") as lines:
            with open(writing, "wb"):
                pytester.inline_run("test_it.py", "-p", "no:randomly", plugins=[Reporter(writing)])
            return [json.loads(line) for line in lines]

    return run


def test_each_test_is_one_line(report: Report) -> None:
    lines = report("def test_a(): pass\ndef test_b(): assert False, 'why'")
    assert [(line["test"], line["outcome"]) for line in lines] == [("test_a", "passed"), ("test_b", "failed")]
    assert lines[1]["detail"].startswith("why")
    assert all(line["seconds"] >= 0 for line in lines)


@pytest.mark.parametrize(
    ("raised", "detail", "status"),
    [
        ("ValueError('odd')", "ValueError: odd", None),
        ("AssertionError('plain')", "plain", None),
        ("type('Refused', (Exception,), {'status_code': 401})('no')", "Refused: no", 401),
    ],
)
def test_an_exception_is_told_by_name_words_and_status(
    report: Report, raised: str, detail: str, status: int | None
) -> None:
    (line,) = report(f"def test_a(): raise {raised}")
    assert (line["outcome"], line["detail"], line["status"]) == ("failed", detail, status)


def test_a_failed_collection_is_a_problem(report: Report) -> None:
    (line,) = report("raise ValueError('broken')")
    assert "ValueError: broken" in line["problem"]


def test_nothing_of_the_surroundings_configures_the_run() -> None:
    arguments = pytest_arguments("/folder", ["test_a.py"])
    assert arguments[-1] == "/folder/test_a.py"
    assert ("-c", os.devnull) in itertools.pairwise(arguments)
    assert "no:cacheprovider" in arguments
