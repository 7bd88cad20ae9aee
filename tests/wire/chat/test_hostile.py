"""Whatever a caller or a provider sends: a clear refusal, or an answer, and never anything else."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelscan.errors import InvalidInput, UpstreamFailed
from modelscan.wire.chat.answer import Failed, Finished
from modelscan.wire.chat.request import Target
from modelscan.wire.translation import SPOKES, Translation
from tests.wire.chat.sdk_types import PROTOCOLS

# Words of the protocols, so that what is drawn looks like them now and then.
_NAMES = (
    "role content type text messages input tools tool_choice function name arguments id call_id "
    "tool_calls image_url url source data media_type thinking signature output system stop stream n "
    "choices delta index message usage input_tokens output_tokens prompt_tokens content_block item "
    "response output_index error finish_reason stop_reason reasoning summary model max_tokens parameters "
    "input_schema response_format json_schema schema"
)
_WORDS = (
    "user assistant system tool text image_url function message tool_use tool_result thinking reasoning "
    "output_text function_call function_call_output input_text auto required none json_schema image "
    "base64 url message_start content_block_start content_block_delta content_block_stop message_delta "
    "message_stop text_delta input_json_delta response.created response.output_item.added "
    "response.output_text.delta response.output_item.done response.completed "
    "response.function_call_arguments.delta error stop tool_calls"
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(_WORDS.split()),
    st.just("\ud800"),
)
_ANYTHING = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES.split()), inner, max_size=4)
    ),
    max_leaves=24,
)
_BODIES = st.dictionaries(st.sampled_from(_NAMES.split()), _ANYTHING, max_size=6)


@pytest.mark.parametrize("caller", PROTOCOLS)
@settings(max_examples=60)
@given(body=_BODIES)
def test_no_request_raises_anything_but_a_refusal(caller: str, body: dict[str, Any]) -> None:
    with suppress(InvalidInput):
        translation = Translation(caller, body)
        for protocol in PROTOCOLS:
            with suppress(InvalidInput):
                sent, dropped = translation.request_for(SPOKES[protocol], Target("m"))
                assert json.loads(sent)["model"] == "m"
                assert dropped.isascii()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=60)
@given(payload=_ANYTHING)
def test_no_answer_raises_anything_but_a_failure_of_the_provider(protocol: str, payload: Any) -> None:
    for caller in PROTOCOLS:
        translation = Translation(caller, _asked(caller))
        with suppress(UpstreamFailed):
            answer, _ = translation.answer_of(SPOKES[protocol], payload)
            assert isinstance(json.loads(answer), dict)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=60)
@given(payloads=st.lists(_ANYTHING, max_size=6))
def test_no_stream_raises_and_each_ends_once(protocol: str, payloads: list[Any]) -> None:
    chunks = [b"data: " + json.dumps(payload).encode() + b"\n\n" for payload in payloads]
    reader = SPOKES[protocol].stream_in()
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()
    assert [type(event) in (Finished, Failed) for event in events] == [False] * (len(events) - 1) + [True]
    for caller in PROTOCOLS:
        stream = Translation(caller, _asked(caller)).stream_of(SPOKES[protocol])
        written = b"".join([*map(stream.feed, chunks), stream.end()])
        assert written.endswith(b"\n\n")


def _asked(caller: str) -> dict[str, Any]:
    turn = [{"role": "user", "content": "hi"}]
    return {"input": turn} if caller == "openai_responses" else {"messages": turn}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_event_beyond_all_measure_ends_the_stream(protocol: str) -> None:
    reader = SPOKES[protocol].stream_in()
    events = [event for _ in range(3) for event in reader.feed(b"x" * (12 << 20))]
    assert [type(event) for event in events] == [Failed]
    assert reader.end() == []


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1" * 400 + ".0", "[" * 5000 + "]" * 5000])
@pytest.mark.parametrize("caller", PROTOCOLS)
def test_what_json_cannot_say_is_refused(caller: str, value: str) -> None:
    schema = {"type": "object", "odd": "HERE"}
    tool: dict[str, Any] = {"type": "function", "name": "f", "parameters": schema}
    tool = (
        tool if caller == "openai_responses" else {"type": "function", "function": {"name": "f", "parameters": schema}}
    )
    tool = {"name": "f", "input_schema": schema} if caller == "anthropic_messages" else tool
    text = json.dumps({**_asked(caller), "tools": [tool]}).replace('"HERE"', value)
    with pytest.raises((InvalidInput, RecursionError)):  # json.loads itself gives up on the last.
        Translation(caller, json.loads(text)).request_for(SPOKES["openai_chat"], Target("m"))


def test_names_of_what_was_dropped_cannot_break_a_header() -> None:
    odd = {"evil\r\nx-header: 1": 1, "\ud800": 1, **{f"name{n}": 1 for n in range(50)}, "top_k": None}
    _, dropped = Translation("openai_chat", {**_asked("openai_chat"), **odd}).request_for(
        SPOKES["anthropic_messages"], Target("m")
    )
    assert dropped.split(", ") == [*(f"name{n}" for n in range(32)), "other"]
