"""One thread parses at a time."""

import ast
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelscan.codegen.parsing import parsed


def test_threads_parse_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, met, together = [0], threading.Event(), [0]

    def parse(_: str) -> ast.Module:
        inside[0] += 1
        together[0] = max(together[0], inside[0])
        met.wait(0.02)  # Others would come in meanwhile.
        inside[0] -= 1
        return ast.Module([], [])

    monkeypatch.setattr("modelscan.codegen.parsing.ast.parse", parse)
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(parsed, ["x = 1"] * 8))) == 8
    assert together == [1]


def test_it_parses() -> None:
    assert ast.dump(parsed("x = 1")) == ast.dump(ast.parse("x = 1"))
