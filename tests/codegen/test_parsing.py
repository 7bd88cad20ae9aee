"""One thread parses at a time, and nothing comes in between."""

import ast
import gc
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


@pytest.mark.parametrize("collecting", [True, False])
def test_the_garbage_collector_waits_and_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch, collecting: bool) -> None:
    seen = []
    parse = ast.parse

    def noting(source: str) -> ast.Module:
        seen.append(gc.isenabled())
        return parse(source)

    monkeypatch.setattr("modelscan.codegen.parsing.ast.parse", noting)
    (gc.enable if collecting else gc.disable)()
    try:
        parsed("x = 1")
        with pytest.raises(SyntaxError):
            parsed("x = ")
        assert (seen, gc.isenabled()) == ([False, False], collecting)
    finally:
        gc.enable()
