"""Streams pass as they come; only the usage chunk that nobody asked for is hidden, however the bytes are split."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.types import Usage
from modelscan.wire import WIRE_PROTOCOLS, WireProtocol
from modelscan.wire.openai_chat import StreamUsage
from router_app.sse import Relay

CHUNK = b'data: {"choices":[{"delta":{"content":"a\\n\\nb"}}],"usage":null}'
LAST = b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}'
BROKEN = b'data: {"usage": {"choices"'
COMMENT = b": still here"
DONE = b"data: [DONE]"

END_MARKS = st.sampled_from([b"\n\n", b"\r\n\r\n"])
EVENTS = st.lists(st.tuples(st.sampled_from([CHUNK, LAST, USAGE, BROKEN, COMMENT, DONE]), END_MARKS), max_size=8)


def relayed(stream: bytes, cuts: list[int], *, hide_usage: bool) -> tuple[bytes, Relay]:
    relay = Relay(StreamUsage(), hide_usage=hide_usage)
    at = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    passed = b"".join(relay.feed(stream[start:end]) for start, end in itertools.pairwise(at))
    return passed + relay.end(), relay


@given(EVENTS, st.lists(st.integers(min_value=0), max_size=12))
def test_only_usage_chunks_are_hidden_however_the_stream_is_split(
    events: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    passed, _ = relayed(b"".join(event + end for event, end in events), cuts, hide_usage=True)
    assert passed == b"".join(event + end for event, end in events if event != USAGE)


@given(st.binary(max_size=200), st.lists(st.integers(min_value=0), max_size=5))
def test_who_asked_for_usage_gets_every_byte(stream: bytes, cuts: list[int]) -> None:
    assert relayed(stream, cuts, hide_usage=False)[0] == stream


@pytest.mark.parametrize("hide", [True, False])
def test_usage_is_seen_either_way(hide: bool) -> None:
    _, relay = relayed(CHUNK + b"\n\n" + USAGE + b"\n\n" + DONE + b"\n\n", [5, 70, 120], hide_usage=hide)
    assert relay.usage == Usage(3, 4)


@pytest.mark.parametrize("hide", [True, False])
def test_an_error_is_noted_however_the_stream_is_split(hide: bool) -> None:
    failing = CHUNK + b'\n\ndata: {"error": {"message": "a"}}\n\ndata: [DONE]\n\n'
    for cut in range(len(failing)):
        passed, relay = relayed(failing, [cut], hide_usage=hide)
        assert (passed, relay.failed()) == (failing, True)
    assert not relayed(CHUNK + b'\n\ndata: {"error": null}\n\ndata: ["error"]\n\n', [9], hide_usage=hide)[1].failed()


@pytest.mark.parametrize("row", [row for row in WIRE_PROTOCOLS if row.served_at], ids=lambda row: row.dialect)
def test_a_stream_has_ended_once_its_last_event_came_whole_however_it_is_split(row: WireProtocol) -> None:
    last = {"openai_chat": DONE, "anthropic_messages": b'event: message_stop\ndata: {"type": "message_stop"   }'}[
        row.name
    ]
    quoted = b'data: {"choices":[{"delta":{"content":"\\"message_stop\\" [DONE]"}}]}\n\n'
    for mark in (b"\n\n", b"\r\n\r\n"):
        stream = CHUNK + b"\n\n" + quoted + last + mark
        for cut in range(len(stream)):
            relay = Relay(row.stream_reader(), hide_usage=False, last=row.last_event)
            relay.feed(stream[:cut])
            assert not relay.ended, stream[:cut]
            relay.feed(stream[cut:])
            assert relay.ended


def test_an_event_without_its_end_is_passed_at_the_end_unless_it_is_usage() -> None:
    assert relayed(CHUNK, [], hide_usage=True)[0] == CHUNK
    assert relayed(USAGE, [], hide_usage=True)[0] == b""


def test_an_event_without_end_goes_on_before_it_fills_the_memory() -> None:
    relay = Relay(StreamUsage(), hide_usage=True)
    begun = b'data: {"usage": "' + b"x" * (1 << 20)
    assert relay.feed(b"data: [") + relay.feed(b"]\n\n" + begun) == b"data: []\n\n" + begun
    assert relay.feed(b'"}\n\n') + relay.end() == b'"}\n\n'


@pytest.mark.parametrize("row", [row for row in WIRE_PROTOCOLS if row.served_at], ids=lambda row: row.dialect)
def test_an_error_is_an_event_of_its_own(row: WireProtocol) -> None:
    event = row.stream_error(row.error_body(502, "line\nline"))
    assert event.endswith(b"\n\n")
    data = event.splitlines()[-2].removeprefix(b"data: ")
    assert json.loads(data)["error"]["message"] == "line\nline"
