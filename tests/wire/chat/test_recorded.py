"""What providers really sent, told to callers of every protocol: the SDKs' own models take all of it."""

import json
import re
from typing import Any

import pytest

from modelscan.errors import InvalidInput
from modelscan.wire.chat.request import Target
from modelscan.wire.translation import SPOKES, Translation
from tests.corpus import corpus_file
from tests.wire.chat.sdk_types import PROTOCOLS, check_answer, check_event, check_request
from tests.wire.chat.test_requests import HI, RESPONSES
from tests.wire.chat.test_round_trips import events_in

pytestmark = pytest.mark.peer
_PLACES = {
    "openai_chat": r"/chat/completions$",
    "anthropic_messages": r"/v1/messages(\?beta=true)?$",
    "openai_responses": r"/responses$",
}
# One tells an error; the beginning and the end of the other are no JSON.
_FAILING = {"openairesponses-__openai-error.1.chunks.txt", "openairesponses-__parallel-tool-call-wrapper.1.chunks.txt"}


def recorded() -> list[tuple[str, Any]]:
    """(protocol, exchange) of those that can be translated."""
    files = sorted(corpus_file("recorded/INDEX.json").parent.glob("*__*.json"))
    exchanges = [json.loads(file.read_bytes()) for file in files]
    return [(name, one) for one in exchanges for name, place in _PLACES.items() if re.search(place, one["url"])]


def asked(caller: str) -> Any:
    return {"input": HI} if caller == RESPONSES else {"messages": HI, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_recorded_requests_are_carried_or_refused_by_a_name(protocol: str) -> None:
    carried = 0
    for caller, exchange in recorded():
        if caller == protocol or not isinstance(exchange.get("request"), dict):
            continue
        try:
            body, _ = Translation(caller, exchange["request"]).request_for(SPOKES[protocol], Target("m"))
        except InvalidInput as refused:
            assert refused.fields["param"]  # noqa: PT017 - most are carried, and those few are named
            continue
        check_request(protocol, {name: one for name, one in json.loads(body).items() if name != "stream_options"})
        carried += 1
    assert carried > 20


@pytest.mark.parametrize("caller", PROTOCOLS)
def test_recorded_answers_and_streams_are_what_the_callers_sdk_says(caller: str) -> None:
    answers = streams = 0
    for protocol, exchange in recorded():
        translation = Translation(caller, asked(caller))
        if exchange["status"] == 200 and "response_text" in exchange:
            told(caller, translation, protocol, exchange["response_text"].encode())
            streams += 1
        elif exchange["status"] == 200:
            answer, counted = translation.answer_of(SPOKES[protocol], exchange["response"])
            check_answer(caller, json.loads(answer))
            assert (None not in counted) == bool(exchange["response"].get("usage"))
            answers += 1
    assert (answers > 30, streams > 20) == (True, True)


@pytest.mark.parametrize("caller", PROTOCOLS)
def test_the_payloads_of_streams_are_what_the_callers_sdk_says(caller: str) -> None:
    found = 0
    for file in sorted(corpus_file("sse_fixtures").glob("*.chunks.txt")):
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        protocol = _spoken(lines)
        if protocol is None:
            continue
        body = "".join(f"data: {line}\n\n" for line in [*lines, *(["[DONE]"] if protocol == "openai_chat" else [])])
        told(caller, Translation(caller, asked(caller)), protocol, body.encode(), fails=file.name in _FAILING)
        found += 1
    assert found > 40


def _spoken(lines: list[str]) -> str | None:
    if any('"message_start"' in line for line in lines[:3]):
        return "anthropic_messages"
    if any('"response.' in line for line in lines[:3]):
        return "openai_responses"
    return "openai_chat" if '"choices"' in lines[0] else None


def told(caller: str, translation: Translation, protocol: str, body: bytes, *, fails: bool = False) -> None:
    stream = translation.stream_of(SPOKES[protocol])
    events = events_in(stream.feed(body) + stream.end())
    assert (stream.failed is not None) == fails, stream.failed
    for event in events:
        if not event.get("error"):
            check_event(caller, event)
