"""Providers that misbehave: each answer is right, or an error in the caller's words, and nothing is left behind."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.router_app.leftovers import nothing_left
from tests.router_app.standing import Act, Answering, Standing, answering, raw, standing
from tests.router_app.test_corners import BLOCKS, END, SAID, START, USAGE, chunk, framed

CHAT, MESSAGES, RESPONSES = "openai_chat", "anthropic_messages", "openai_responses"
PATHS = {CHAT: "/v1/chat/completions", MESSAGES: "/v1/messages", RESPONSES: "/v1/responses"}
WAYS = [(CHAT, CHAT), (MESSAGES, MESSAGES), (MESSAGES, CHAT), (CHAT, MESSAGES), (RESPONSES, CHAT)]
"""(caller's protocol, provider's)"""
HELLO: Any = [{"role": "user", "content": "hi"}]
COMPLETION = {
    "id": "chatcmpl-7",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Good day."}, "finish_reason": "stop"}],
    "usage": USAGE,
}
MESSAGE = {**START, "content": [{"type": "text", "text": "Good day."}], "stop_reason": "end_turn"}
STREAMS = {CHAT: framed(*SAID, END, chunk(usage=USAGE)), MESSAGES: framed(*BLOCKS, done=False, named=True)}
WHOLES = {CHAT: json.dumps(COMPLETION).encode(), MESSAGES: json.dumps(MESSAGE).encode()}
PLAIN_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@dataclass(frozen=True)
class Asked:
    """How it was asked."""

    caller: str
    provider: str
    stream: bool

    @property
    def same(self) -> bool:
        return self.caller == self.provider

    @property
    def good(self) -> bytes:
        return (STREAMS if self.stream else WHOLES)[self.provider]

    @property
    def head(self) -> bytes:
        return STREAM_HEAD if self.stream else PLAIN_HEAD


@dataclass(frozen=True)
class Fault:
    """What the provider does, and what its caller is to get: `right`, `as it is`, a status, or `ends` in a stream."""

    does: Callable[[Asked], Act]
    same: str
    same_streamed: str
    other: str
    other_streamed: str

    def wanted(self, asked: Asked) -> str:
        if asked.same:
            return self.same_streamed if asked.stream else self.same
        return self.other_streamed if asked.stream else self.other


def status(code: int, body: bytes, kind: str = "application/json", **headers: str) -> Callable[[Asked], Act]:
    return lambda _: answering(body, status=code, kind=kind, headers=headers)


def cut(share: float, *, reset: bool) -> Callable[[Asked], Act]:
    """A part of the right answer, in chunks, without the last of them."""

    def does(asked: Asked) -> Act:
        part = asked.good[: int(len(asked.good) * share)]
        return raw(asked.head + b"transfer-encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n" % (len(part), part), reset=reset)

    return does


def after(text: bytes, keep: bytes = b"") -> Callable[[Asked], Act]:
    """The right answer's status line and type with these headers instead of its framing."""
    return lambda asked: raw(asked.head + text + b"\r\n\r\n" + keep)


def bad_event(asked: Asked) -> Act:
    """One event of the stream is no JSON."""
    if not asked.stream:
        return answering(asked.good)
    first, rest = asked.good.split(b"\n\n", 1)
    return answering(first + b'\n\ndata: {"choices": [\n\n' + rest, kind="text/event-stream", cuts=[9])


def trailing(asked: Asked) -> Act:
    head = asked.head + b"content-length: %d\r\n\r\n" % len(asked.good)
    return raw(head + asked.good + b"HTTP/1.1 200 OK\r\n\r\n")


def many_interim(asked: Asked) -> Act:
    head = b"HTTP/1.1 103 Early\r\nlink: <a>\r\n\r\n" * 1000 + asked.head
    return raw(head + b"content-length: %d\r\n\r\n" % len(asked.good) + asked.good)


def many_headers(asked: Asked) -> Act:
    lines = b"".join(b"x-%d: y\r\n" % number for number in range(10_000))
    return raw(asked.head + lines + b"content-length: %d\r\n\r\n" % len(asked.good) + asked.good)


def packed(asked: Asked) -> Act:
    kind = "text/event-stream" if asked.stream else "application/json"
    return answering(gzip.compress(asked.good), kind=kind, headers={"content-encoding": "gzip"})


ERROR = b'{"error": {"message": "Busy.", "type": "server_error"}}'
NO_ANSWER = ("502", "502", "502", "502")
FAULTS = {
    "says nothing and hangs up": Fault(lambda _: raw(), *NO_ANSWER),
    "resets the connection": Fault(lambda _: raw(reset=True), *NO_ANSWER),
    "sends half a head": Fault(lambda asked: raw(asked.head), *NO_ANSWER),
    "speaks no HTTP": Fault(lambda _: raw(b"SSH-2.0-OpenSSH_9.6\r\n"), *NO_ANSWER),
    "counts its length in words": Fault(after(b"content-length: many"), *NO_ANSWER),
    "frames its body twice": Fault(after(b"content-length: 2\r\ntransfer-encoding: chunked"), *NO_ANSWER),
    "sends 10,000 headers": Fault(many_headers, *NO_ANSWER),
    "changes the protocol": Fault(lambda _: raw(b"HTTP/1.1 101 Go\r\nupgrade: h2c\r\n\r\n"), *NO_ANSWER),
    "redirects": Fault(status(307, b"", location="http://127.0.0.1:9/"), *NO_ANSWER),
    "sends a chunk of no size": Fault(after(b"transfer-encoding: chunked", b"zz\r\n"), *NO_ANSWER),
    "ends within its length": Fault(after(b"content-length: 999", b" "), "502", "ends", "502", "502"),
    "cuts its first part": Fault(cut(0.05, reset=False), "502", "ends", "502", "502"),
    "cuts its last part": Fault(cut(0.9, reset=False), "502", "ends", "502", "ends"),
    "resets within its answer": Fault(cut(0.9, reset=True), "502", "ends", "502", "ends"),
    "leaves out the last chunk": Fault(cut(1.0, reset=False), "502", "right", "502", "right"),
    "is busy": Fault(status(429, ERROR, **{"retry-after": "7"}), "429", "429", "429", "429"),
    "times out": Fault(status(408, ERROR), "408", "408", "408", "408"),
    "fails": Fault(status(500, ERROR), "500", "500", "500", "500"),
    "is overloaded": Fault(status(529, ERROR), "529", "529", "529", "529"),
    "fails in HTML": Fault(status(503, b"<html>", "text/html"), "as it is", "as it is", "503", "503"),
    "fails without a word": Fault(status(502, b""), "as it is", "as it is", "502", "502"),
    "has a status of its own": Fault(status(999, ERROR), *NO_ANSWER),
    "answers with nothing": Fault(status(200, b""), "as it is", "as it is", "502", "502"),
    "answers with a status for nothing": Fault(status(204, b""), "as it is", "as it is", "502", "502"),
    "answers with broken JSON": Fault(status(200, b'{"choices": ['), "as it is", "as it is", "502", "502"),
    "answers with other JSON": Fault(status(200, b"[7]"), "as it is", "as it is", "502", "502"),
    "sends one broken event": Fault(bad_event, "right", "as it is", "right", "right"),
    "answers beyond its length": Fault(trailing, "right", "right", "right", "right"),
    "sends 1,000 interim answers": Fault(many_interim, "right", "right", "right", "right"),
    "packs its answer unasked": Fault(packed, "right", "right", "right", "right"),
    "calls packed what is not": Fault(status(200, b"{}", **{"content-encoding": "gzip"}), *NO_ANSWER),
    "packs half an answer": Fault(status(200, gzip.compress(b"{}")[:15], **{"content-encoding": "gzip"}), *NO_ANSWER),
}  # fmt: skip


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with standing(tmp_path_factory.mktemp("router"), (CHAT, MESSAGES), retries=0) as found:
        yield found


async def ask(stood: Standing, asked: Asked) -> httpx2.Response:
    provider = asked.provider.replace("_", "-")
    turns = {"input": "hi"} if asked.caller == RESPONSES else {"messages": HELLO}
    body = {"model": f"{provider}/echo", "stream": asked.stream, "max_tokens": 9, **turns}
    if asked.caller == RESPONSES:
        body["max_output_tokens"] = body.pop("max_tokens")
    if asked.caller == CHAT and asked.stream:
        body["stream_options"] = {"include_usage": True}
    return await stood.router.http.post(PATHS[asked.caller], json=body)


@pytest.mark.parametrize("name", FAULTS)
def test_a_provider_that(stood: Standing, name: str) -> None:
    fault = FAULTS[name]

    async def story() -> None:
        async with nothing_left(stood):
            for caller, provider in WAYS:
                for stream in (False, True):
                    asked = Asked(caller, provider, stream)
                    act = stood.upstream.act = fault.does(asked)
                    answer = await ask(stood, asked)
                    check(fault.wanted(asked), asked, answer, act)
                    row = stood.last_row()
                    assert row["request_id"] == answer.headers["x-request-id"]
                    assert row["status"] == (502 if fault.wanted(asked) == "ends" else answer.status_code)
            # Whatever it was, the next request is served.
            asked = Asked(CHAT, CHAT, stream=False)
            act = stood.upstream.act = answering(asked.good)
            check("as it is", asked, await ask(stood, asked), act)

    stood.tell(story)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.other != "right"])
def test_the_official_clients_raise_their_own_errors_at_a_provider_that(stood: Standing, name: str) -> None:
    fault = FAULTS[name]

    async def chat(stream: bool) -> None:
        asked: Any = {"model": "anthropic-messages/echo", "messages": HELLO, "stream": stream}
        await drained(await stood.openai.chat.completions.create(**asked))

    async def respond(stream: bool) -> None:
        asked: Any = {"model": "openai-chat/echo", "input": "hi", "stream": stream}
        await drained(await stood.openai.responses.create(**asked))

    async def message(stream: bool) -> None:
        asked: Any = {"model": "openai-chat/echo", "messages": HELLO, "max_tokens": 9, "stream": stream}
        await drained(await stood.claude.messages.create(**asked))

    clients = [(chat, MESSAGES, openai.APIError), (respond, CHAT, openai.APIError), (message, CHAT, anthropic.APIError)]
    for ask_it, provider, error in clients:
        for stream in (False, True):
            asked = Asked(MESSAGES if provider == CHAT else CHAT, provider, stream)
            stood.upstream.act = fault.does(asked)
            if fault.wanted(asked) == "right":
                stood.tell(partial(ask_it, stream))
                continue
            with pytest.raises(error) as told:
                stood.tell(partial(ask_it, stream))
            if fault.wanted(asked).isdigit():
                assert told.value.status_code == int(fault.wanted(asked))  # type: ignore[attr-defined]  # Both have it.


async def drained(answer: Any) -> None:
    if hasattr(answer, "__aiter__"):
        async for _ in answer:
            pass


def check(wanted: str, asked: Asked, answer: httpx2.Response, act: Act) -> None:
    told = (asked, answer.status_code, answer.text[-400:])
    if wanted.isdigit():
        assert answer.status_code == int(wanted), told
        assert error_of(asked, answer.json()), told
    elif wanted == "ends":
        assert answer.status_code == 200, told
        *events, last = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
        assert error_of(asked, json.loads(last)), told
        assert answer.text.endswith("\n\n"), told
        assert not any("[DONE]" in one or '"message_stop"' in one or '"response.completed"' in one for one in events)
    elif wanted == "right":
        assert (answer.status_code, "upstream-failed" in answer.text) == (200, False), told
        assert "day." in answer.text, told
    else:
        assert isinstance(act, Answering)
        assert (asked.same, answer.content) == (True, act.body), told


def error_of(asked: Asked, body: Any) -> str:
    """The message of an error in the caller's shape."""
    assert asked.same or asked.caller != MESSAGES or body["type"] == "error"
    message: str = body["error"]["message"]
    return message
