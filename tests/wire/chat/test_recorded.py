"""What providers really sent, told to callers of every protocol: the SDKs' own models take all of it."""

import json
from typing import Any

import pytest

from modelscan.errors import InvalidInput
from modelscan.wire.chat.request import Target
from modelscan.wire.translation import SPOKES, Translation
from tests.corpus import corpus_file
from tests.recordings import FIXTURES, RECORDED, Recording, fixture, recording
from tests.wire.chat.sdk_types import PROTOCOLS, check_answer, check_event, check_request
from tests.wire.chat.test_requests import HI, RESPONSES
from tests.wire.chat.test_round_trips import events_in

pytestmark = pytest.mark.peer
# One tells an error; the beginning and the end of the second are no JSON; the third begins another answer in its midst.
_FAILING = {"openai-error.1.chunks.txt", "parallel-tool-call-wrapper.1.chunks.txt", "spliced-message-start.chunks.txt"}


def recorded() -> list[Recording]:
    """Those that can be translated."""
    corpus_file("recorded/INDEX.json")
    return [recording(name) for name, _ in RECORDED]


def asked(caller: str) -> Any:
    return {"input": HI} if caller == RESPONSES else {"messages": HI, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_recorded_requests_are_carried_or_refused_by_a_name(protocol: str) -> None:
    carried = 0
    for one in recorded():
        if one.protocol == protocol:
            continue
        try:
            body, _ = Translation(one.protocol, one.asked).request_for(SPOKES[protocol], Target("m"))
        except InvalidInput as refused:
            assert refused.fields["param"]  # noqa: PT017 - most are carried, and those few are named
            continue
        check_request(protocol, {name: one for name, one in json.loads(body).items() if name != "stream_options"})
        carried += 1
    assert carried > 20


@pytest.mark.parametrize("caller", PROTOCOLS)
def test_recorded_answers_and_streams_are_what_the_callers_sdk_says(caller: str) -> None:
    answers = streams = 0
    for one in recorded():
        translation = Translation(caller, asked(caller))
        if one.status == 200 and one.stream:
            told(caller, translation, one)
            streams += 1
        elif one.status == 200:
            payload = json.loads(one.body)
            answer, counted = translation.answer_of(SPOKES[one.protocol], payload)
            check_answer(caller, json.loads(answer))
            assert (None not in counted[:2]) == bool(payload.get("usage"))
            answers += 1
    assert (answers > 30, streams > 20) == (True, True)


@pytest.mark.parametrize("caller", PROTOCOLS)
def test_the_payloads_of_streams_are_what_the_callers_sdk_says(caller: str) -> None:
    corpus_file("sse_fixtures")
    streams = 0
    for name in FIXTURES:
        for one in fixture(name):
            if one.stream:
                fails = name.endswith(tuple(_FAILING))
                told(caller, Translation(caller, asked(caller)), one, fails=fails)
                streams += 1
    assert streams > 60


def told(caller: str, translation: Translation, one: Recording, *, fails: bool = False) -> None:
    stream = translation.stream_of(SPOKES[one.protocol])
    events = events_in(stream.feed(one.body) + stream.end())
    assert (stream.failed is not None) == fails, stream.failed
    for event in events:
        if not event.get("error"):
            check_event(caller, event)
