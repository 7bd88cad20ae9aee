import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelscan.sources.yaml_text import NotRead, front_matter, read_yaml

BOMB = "a: &a [x, x]\n" + "\n".join(
    f"{after}: &{after} [*{before}, *{before}]" for before, after in zip("abcdefghij", "bcdefghijk", strict=True)
)
LAUGHS = "\n".join(
    [
        "a: &a [l, l, l, l, l, l, l, l, l, l]",
        *(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    ]
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 2.5, true, null]", {"a": 1, "b": ["x", 2.5, True, None]}),
        ("day: 2026-01-05\nat: 2026-01-05T10:00:00Z", {"day": "2026-01-05", "at": "2026-01-05T10:00:00+00:00"}),
        ("x: &v '1.0'\ny: *v", {"x": "1.0", "y": "1.0"}),
        ("base: &b {k: 1}\nmore:\n  <<: *b\n  l: 2", {"base": {"k": 1}, "more": {"k": 1, "l": 2}}),
        ("1: one\nnull: none", {"1": "one", "None": "none"}),
        ("x: .nan\ny: .inf\nz: !!binary aGk=", {"x": None, "y": None, "z": None}),
        ("", None),
    ],
)  # fmt: skip
def test_what_is_read_can_be_stored_as_json(text: str, value: Any) -> None:
    read = read_yaml(text, nodes=1000)
    assert read == value
    json.dumps(read, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "more than"),
        ("x: &x [*x]", "more than"),
        ("x: *nobody", "more than"),
        ("[" * 40 + "]" * 40, "deep"),
        ("x: " + "y" * 100_000, "more than"),
        ("- x\n" * 1001, "more than"),
        ("x: !!python/object/apply:os.system ['id']", "ConstructorError"),
        ("a: b: c", "ScannerError"),
        ("? [a]\n: b", "ConstructorError"),
        ("x: 2026-99-99", "ValueError"),
        ("x: " + "9" * 5000, "ValueError"),
        ("x: \x00", "ReaderError"),
    ],
)
def test_a_bomb_or_what_is_no_plain_yaml_is_refused(text: str, why: str) -> None:
    with pytest.raises(NotRead, match=why):
        read_yaml(text, nodes=1000)


def test_aliases_are_counted_as_what_they_stand_for() -> None:
    assert isinstance(read_yaml(BOMB, nodes=10_000), dict)
    with pytest.raises(NotRead):
        read_yaml(BOMB, nodes=4_000)


@given(st.text(max_size=200))
@example('x: "\\ud800"')
@example("[x]: {a, b}")
def test_any_text_is_read_as_json_or_refused(text: str) -> None:
    with suppress(NotRead):
        json.dumps(read_yaml(text, nodes=100), allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "front"),
    [
        ("---\na: 1\n---\n# Title", "a: 1"),
        ("---\r\na: 1\r\nb: 2\r\n---\r\ntext", "a: 1\nb: 2"),
        ("\ufeff\n---\na: 1\n---", "a: 1"),
        ("---\n---\ntext", ""),
        ("# Title\n---\na: 1\n---", None),
        ("---\na: 1\n", None),
        ("", None),
    ],
)
def test_the_front_matter_stands_between_two_lines_of_dashes(text: str, front: str | None) -> None:
    assert front_matter(text) == front
