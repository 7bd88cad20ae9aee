"""A body is read once; what is not changed stays as it came, byte for byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.errors import InvalidInput
from router_app.asking import Asked

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.text(), VALUES, max_size=6)
SPACED = b' \n{ "model" : "a/b" ,\t"n":1.50, "text": "\\u00e4 \xc3\xa4 \\"model\\": 1", "stream":true}\r\n'


@given(BODIES, st.sampled_from([None, 1]), st.booleans())
def test_what_is_read_is_what_json_reads_and_nothing_changes(body: Any, indent: int | None, ascii_only: bool) -> None:
    data = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode()
    asked = Asked(data)
    assert (asked.members, asked.body()) == (body, data)


@given(BODIES, st.text(), VALUES)
def test_a_member_that_is_put_is_there_and_the_others_stay(body: Any, name: str, value: Any) -> None:
    asked = Asked(json.dumps(body).encode())
    asked.put(name, value)
    assert json.loads(asked.body()) == {**body, name: value} == asked.members


@given(BODIES.filter(bool), st.data())
def test_a_member_that_is_removed_or_renamed_takes_no_other_along(body: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(body)))
    asked = Asked(json.dumps(body).encode())
    asked.remove(name)
    assert json.loads(asked.body()) == {key: value for key, value in body.items() if key != name} == asked.members
    asked = Asked(json.dumps(body).encode())
    other = data.draw(st.text().filter(lambda text: text not in body))
    asked.rename(name, other)
    assert json.loads(asked.body()) == {other if key == name else key: value for key, value in body.items()}


def test_only_the_bytes_of_what_changes_are_others() -> None:
    asked = Asked(SPACED)
    asked.put("model", "b")
    asked.put("stream_options", {"include_usage": True})
    changed = SPACED.replace(b'"a/b"', b'"b"').replace(b"{", b'{"stream_options": {"include_usage": true}, ', 1)
    assert asked.body() == changed


def test_a_mark_of_byte_order_is_passed_over_and_half_surrogates_stay_as_they_are_spelt() -> None:
    asked = Asked(b'\xef\xbb\xbf{"model":"\\ud800","x":"\\ud800"}')
    asked.put("model", "fine")
    assert asked.body() == b'{"model":"fine","x":"\\ud800"}'.replace(b'"fine"', b'"fine"')


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b" ",
            b"{",
            b"[]",
            b'"text"',
            b"null",
            b"{}x",
            b"{,}",
            b'{"a"}',
            b'{"a":}',
            b'{"a":1',
            b'{"a":1,',
            b'{"a":1,}',
        ),
        *(b"{'a':1}", b'{"a" 1}', b'{"a":1 "b":2}', b"{1:2}", b'{"a":1}{"b":2}', b'{"a\n":1}', b"\xff\xfe{\x00}\x00"),
        *(b'{"a":' + b"[" * 100_000, b'{"a":tru}', b'{"\\ud8":1}', b'{"a', b'{"a":"', b"\xff"),
    ],
)
def test_what_is_no_object_in_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="not a JSON object"):
        Asked(body)


def test_a_member_that_stands_twice_is_refused_for_nobody_knows_which_one_counts() -> None:
    with pytest.raises(InvalidInput, match="'model' twice"):
        Asked(b'{"model":"cheap","model":"dear"}')


def _pairs(body: bytes) -> Any:
    """The top-level members as they stand, or what else it is; None where it is no JSON."""
    try:
        return json.JSONDecoder(object_pairs_hook=list).decode(body.decode("utf-8-sig"))
    except ValueError:
        return None


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,ab1 \\\n', max_size=30).map(str.encode))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    pairs = _pairs(body)
    names = [pair[0] for pair in pairs if isinstance(pair, tuple)] if isinstance(pairs, list) else None
    if (
        body.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")[:1] != "{"
        or names is None
        or len({*names}) < len(names)
    ):
        with pytest.raises(InvalidInput):
            Asked(body)
    else:
        assert list(Asked(body).members) == names
