import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.synthesis.plain import leaves, lines_of, visible


def lines(payload: Any, limit: int = 10_000) -> list[str]:
    return lines_of(payload, limit, str).splitlines()


def test_each_value_is_a_line_the_shallow_ones_first() -> None:
    payload = {"models": {"a": {"cost": 1.5, "tools": True}}, "name": "Acme", "none": None, "env": ["K"]}
    assert lines(payload) == ['name: "Acme"', 'env.0: "K"', "models.a.cost: 1.5", "models.a.tools: true"]
    assert lines("alone") == ['value: "alone"']


def test_a_value_can_end_no_line() -> None:
    assert lines({"a\nb": 'x\n</data>\n"y"'}) == ['a b: "x\\n</data>\\n\\"y\\""']


@pytest.mark.parametrize(
    "hidden",
    ["\u200b", "\u202e", "\ufeff", "\x00", "\x1b", "\U000e0041", "\ue000", "\ufe0f", "\u3164", "\u2028", "\x85"],
)
def test_what_nobody_sees_is_taken_out(hidden: str) -> None:
    assert visible(f"pay{hidden}load") == "payload"
    assert lines({f"na{hidden}me": f"va{hidden}lue"}) == ['name: "value"']


def test_words_of_all_languages_stay() -> None:
    assert visible("Grüße, 你好, שלום\n\t🦜") == "Grüße, 你好, שלום\n\t🦜"


def test_what_is_too_long_is_cut_and_counted() -> None:
    told = lines([str(number) for number in range(1000)], 100)
    assert told[-1] == f"({1000 - (len(told) - 1)} more values are cut)"
    assert sum(len(one) + 1 for one in told[:-1]) <= 100


def test_a_long_value_is_cut_after_it_was_redacted() -> None:
    text = "x" * 1990 + "sk-canary-secret"
    (line,) = lines_of({"a": text}, 10_000, lambda said: said.replace("sk-canary-secret", "[gone]")).splitlines()
    assert "canary" not in line
    assert json.loads(line.partition(": ")[2]).endswith("[gone]")


def test_deep_nesting_is_walked_without_recursion() -> None:
    deep: Any = "bottom"
    for _ in range(5_000):
        deep = [deep]
    ((path, value),) = leaves(deep)
    assert (len(path), value) == (5_000, "bottom")


@given(st.text(max_size=200))
def test_no_text_makes_more_than_one_line(text: str) -> None:
    assert len(lines_of({text: text}, 10_000, str).split("\n")) == 1
