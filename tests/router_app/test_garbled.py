"""Bytes and members changed, lost, doubled and cut, on either side: a well-formed answer, and never a 500."""

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.router_app.leftovers import nothing_left
from tests.router_app.standing import Standing, answering, provider_of, raw, standing
from tests.router_app.test_chaos import CHAT, MESSAGES, PATHS, RESPONSES, WAYS, Asked, ask, error_of
from tests.wire.chat.sdk_types import check_answer, check_event

DIALECTS = (CHAT, MESSAGES)
ROUNDS = 50
SNIPPETS = (
    *(
        b"\r\n\r\n",
        b"\n\n",
        b"\r",
        b"\0",
        b"\xff",
        b"data: ",
        b"event: error\n",
        b"[DONE]",
        b"{",
        b"}",
        b"[",
        b'"',
        b"null",
    ),
    *(
        b"true",
        b"-1",
        b"1e999",
        b'"usage"',
        b'"error"',
        b'"content"',
        b"tool_use",
        b"\\ud800",
        b"NaN",
        b"9" * 30,
        b"[" * 200,
    ),
)

ODD: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    "x",
    7,
    -1,
    1.5,
    True,
    [None],
    [[]],
    [{}],
    {"type": "x"},
    {"type": None},
    "\ud800",
)


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with standing(tmp_path_factory.mktemp("router"), DIALECTS, retries=0) as found:
        yield found


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def garbled(body: bytes, chance: random.Random) -> bytes:
    """One to four changes."""
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(body) + 1), chance.randint(0, 30)
        middle = chance.choice((b"", chance.choice(SNIPPETS), chance.randbytes(4), body[at : at + length] * 2))
        body = body[:at] + middle + body[at + length :]
    return body


def twisted(value: Any, chance: random.Random) -> Any:
    """One member, somewhere within, is another."""
    if isinstance(value, dict | list) and value and chance.random() < 0.85:
        place = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        copy = value.copy()
        copy[place] = twisted(value[place], chance)
        return copy
    return chance.choice(ODD)


@pytest.mark.parametrize(("caller", "provider"), WAYS)
@pytest.mark.parametrize("stream", [True, False])
def test_no_garbled_answer_is_more_than_an_error(stood: Standing, caller: str, provider: str, stream: bool) -> None:
    seed = random.getrandbits(32)  # pytest-randomly prints its own, from which this one comes.
    chance = random.Random(seed)
    asked = Asked(caller, provider, stream)

    async def story() -> None:
        async with nothing_left(stood):
            for _ in range(ROUNDS):
                body = garbled(asked.good, chance)
                if not stream and chance.random() < 0.5:
                    body = dumped(twisted(json.loads(asked.good), chance))
                framed = asked.head + b"content-length: %d\r\n\r\n" % len(body) + body
                sent = garbled(framed, chance) if chance.random() < 0.3 else framed
                stood.upstream.act = raw(sent)
                answer = await ask(stood, asked)
                told = (seed, sent, answer.status_code, answer.content)
                assert answer.status_code != 500, told
                if answer.status_code >= 400 and "x-modelscan-provider" in answer.headers and not asked.same:
                    assert error_of(asked, answer.json()), told
                elif answer.status_code == 200 and not asked.same:
                    check_well_formed(asked, answer)

    stood.tell(story)


def check_well_formed(asked: Asked, answer: httpx2.Response) -> None:
    """By the types of the caller's SDK."""
    if not asked.stream:
        check_answer(asked.caller, answer.json())
        return
    for line in answer.text.splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            event = json.loads(line[6:])
            if "error" not in event:
                check_event(asked.caller, event)


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TURNS = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "hi"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
]
BLOCKS = [
    {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun"}]},
]
ITEMS = [
    {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "sun"},
]
REQUESTS: dict[str, Any] = {
    CHAT: {"messages": TURNS, "tools": [TOOL], "tool_choice": "auto", "stop": ["END"], "temperature": 0.5},
    MESSAGES: {
        "messages": BLOCKS,
        "max_tokens": 9,
        "system": "Be brief.",
        "tools": [{"name": "look", "input_schema": {}}],
    },
    RESPONSES: {
        "input": ITEMS,
        "instructions": "Be brief.",
        "tools": [{"type": "function", "name": "look", "parameters": {}}],
    },
}


@pytest.mark.parametrize(("caller", "provider"), WAYS)
def test_no_garbled_request_is_more_than_a_refusal(stood: Standing, caller: str, provider: str) -> None:
    seed = random.getrandbits(32)
    chance = random.Random(seed)
    whole = {"model": f"{provider_of(provider)}/echo", **REQUESTS[caller]}

    async def story() -> None:
        async with nothing_left(stood):
            stood.upstream.act = answering(Asked(caller, provider, stream=False).good)
            for _ in range(ROUNDS):
                garble = chance.random() < 0.3
                body = garbled(dumped(whole), chance) if garble else dumped(twisted(whole, chance))
                answer = await stood.router.http.post(PATHS[caller], content=body)
                assert answer.status_code in (200, 400, 404), (seed, body, answer.status_code, answer.content)
                if answer.status_code != 200:
                    assert answer.json()["error"]["message"], (seed, body)
                else:
                    json.loads(stood.upstream.asked.pop()[1])

    stood.tell(story)
