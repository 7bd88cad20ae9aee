"""Reading YAML with positions, and reading on where it is broken."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelscan.settings.yaml_file import read_entries

LINES = st.lists(
    st.sampled_from(
        [
            "server:",
            "  port: 80",
            "  host: [a",
            "\thost: b",
            "data_dir: x",
            "  - a",
            "  'open",
            "]}",
            "# note",
            "",
            "{",
            "a: b: c",
        ]
    ),
    max_size=8,
)


def paths(text: str) -> list[tuple[str, ...]]:
    return [entry.path for entry in read_entries(text)[0]]


def test_sections_become_entries_and_deeper_mappings_stay_values() -> None:
    assert paths("a: {b: {c: d}}\ne: f\n") == [("a", "b"), ("e",)]


def test_an_empty_file_says_nothing() -> None:
    assert read_entries("# only a comment\n") == ((), ())


def test_closing_brackets_belong_to_what_they_close() -> None:
    assert paths("a: {\n  b: 1\n}\nc: 'open\n") == [("a", "b")]


def test_a_broken_line_between_whole_ones_costs_only_itself() -> None:
    entries, problems = read_entries("a: 1\nb: c: d\ne: 2\n")
    assert [entry.path for entry in entries] == [("a",), ("e",)]
    assert [(problem.line, problem.path) for problem in problems] == [(2, ("b",))]


@given(LINES)
def test_any_file_is_read_or_complained_of(lines: list[str]) -> None:
    text = "\n".join(lines)
    entries, problems = read_entries(text)
    try:
        whole = yaml.safe_load(text)
    except yaml.YAMLError:
        assert problems
    else:
        assert isinstance(whole, dict) or whole is None or problems
        assert not isinstance(whole, dict) or len({entry.path[0] for entry in entries}) == len(whole)
    count = text.count("\n") + 1
    lines_named = [entry.line for entry in entries] + [problem.line for problem in problems]
    assert all(1 <= line <= count + 1 for line in lines_named)


@given(st.text(max_size=60))
def test_no_text_ends_in_an_error(text: str) -> None:
    read_entries(text)
