"""Corners of streams and answers that providers really send: to a caller of their protocol, and to one of the other."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.readings import Reading, chunks_read, events_read
from tests.router_app.standing import Standing, answering, cut_at, standing

HELLO: Any = [{"role": "user", "content": "hi"}]
CHAT, MESSAGES = "openai-chat/echo", "anthropic-messages/echo"
SSE, LINES, JSON = "text/event-stream", "application/x-ndjson", "application/json"


def chunk(delta: Any = None, reason: str | None = None, **more: Any) -> Any:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return {
        "id": "chatcmpl-7",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": choices,
        **more,
    }


def event(kind: str, **more: Any) -> Any:
    return {"type": kind, **more}


def framed(*events: Any, done: bool = True, named: bool = False) -> bytes:
    names = [f"event: {one.get('type', 'message')}\n" if named else "" for one in events]
    body = "".join(f"{name}data: {json.dumps(one)}\n\n" for name, one in zip(names, events, strict=True))
    return (body + ("data: [DONE]\n\n" if done else "")).encode()


USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
SAID = [chunk({"role": "assistant", "content": "Good "}), chunk({"content": "day."})]
END = chunk({}, "stop")
START: Any = {"id": "msg_7", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
START |= {"stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}
BLOCKS = [
    event("message_start", message=START),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Good day."}),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 2}),
    event("message_stop"),
]
WHOLE = Reading("Good day.", (), "end", 9, 2)
UNCOUNTED = Reading("Good day.", (), "end", None, None)


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    dialects = ("openai_chat", "anthropic_messages")
    with standing(tmp_path_factory.mktemp("router"), dialects, retries=0) as found:
        yield found


def post(stood: Standing, model: str, path: str, **more: Any) -> httpx2.Response:
    body = {"model": model, "messages": HELLO, **more}
    return stood.tell(lambda: stood.router.http.post(path, json=body))


def told_by(stood: Standing, body: bytes, kind: str = SSE) -> None:
    stood.upstream.act = answering(body, kind=kind, cuts=cut_at(body, 7))


def usage_of(stood: Standing) -> tuple[int | None, int | None]:
    return stood.last_usage()


async def streamed_to_openai(stood: Standing, model: str) -> Reading:
    asked: Any = {"model": model, "messages": HELLO, "stream_options": {"include_usage": True}}
    stream = await stood.openai.chat.completions.create(**asked, stream=True)
    return chunks_read([one.model_dump() async for one in stream])


async def streamed_to_claude(stood: Standing, model: str) -> Reading:
    stream = await stood.claude.messages.create(model=model, messages=HELLO, max_tokens=9, stream=True)
    return events_read([one.model_dump() async for one in stream])


def check_chat(stood: Standing, body: bytes, said: Reading, kind: str = SSE) -> None:
    """A stream of chat completions: to its own SDK byte for byte, and to the other's."""
    told_by(stood, body, kind)
    whole = post(stood, CHAT, "/v1/chat/completions", stream=True, stream_options={"include_usage": True})
    assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, kind, body)
    assert usage_of(stood) == said.usage
    if kind == SSE:
        assert stood.tell(lambda: streamed_to_openai(stood, CHAT)).with_zeros() == said.with_zeros()
    assert stood.tell(lambda: streamed_to_claude(stood, CHAT)) == said.with_zeros()
    assert usage_of(stood) == said.usage


def check_messages(stood: Standing, body: bytes, said: Reading, *, named: bool = True) -> None:
    """A stream of Messages: to a caller of its own byte for byte, and to the other SDK."""
    told_by(stood, body)
    whole = post(stood, MESSAGES, "/v1/messages", stream=True, max_tokens=9)
    assert (whole.status_code, whole.content, usage_of(stood)) == (200, body, said.usage)
    if named:
        assert stood.tell(lambda: streamed_to_claude(stood, MESSAGES)) == said
    assert (stood.tell(lambda: streamed_to_openai(stood, MESSAGES)), usage_of(stood)) == (said, said.usage)


def test_comment_lines_come_first_and_in_between(stood: Standing) -> None:
    keep = b": keep-alive\n\n"
    check_chat(stood, b":\n\n" + framed(*SAID, done=False) + keep + framed(END, chunk(usage=USAGE)), WHOLE)
    check_messages(stood, keep + framed(*BLOCKS, done=False, named=True).replace(b"\n\n", b"\n\n:\n\n", 2), WHOLE)


def test_lines_end_with_crlf_and_no_done_comes(stood: Standing) -> None:
    body = framed(*SAID, END, chunk(usage=USAGE), done=False).replace(b"\n", b"\r\n")
    check_chat(stood, body, WHOLE)
    check_messages(stood, framed(*BLOCKS, done=False, named=True).replace(b"\n", b"\r\n"), WHOLE)


def test_the_last_line_has_no_end(stood: Standing) -> None:
    told_by(stood, framed(*SAID, END, chunk(usage=USAGE), done=False).rstrip())
    assert stood.tell(lambda: streamed_to_claude(stood, CHAT)) == WHOLE


def test_the_usage_comes_in_a_chunk_without_choices(stood: Standing) -> None:
    check_chat(stood, framed(*SAID, END, chunk(usage=USAGE)), WHOLE)


def test_the_usage_comes_before_anything_else(stood: Standing) -> None:
    check_chat(stood, framed(chunk(usage=USAGE), *SAID, END), WHOLE)


@pytest.mark.parametrize("where", ["x_groq", "choice"])
def test_the_usage_stands_under_another_key(stood: Standing, where: str) -> None:
    last = {**END, "x_groq": {"id": "req_1", "usage": USAGE}}
    if where == "choice":
        last = {**END, "choices": [{**END["choices"][0], "usage": USAGE}]}
    body = framed(*SAID, last)
    told_by(stood, body)
    assert post(stood, CHAT, "/v1/chat/completions", stream=True).content == body
    assert usage_of(stood) == WHOLE.usage
    assert stood.tell(lambda: streamed_to_claude(stood, CHAT)) == WHOLE


def test_usage_that_nobody_asked_for_is_counted_and_only_its_own_chunk_is_hidden(stood: Standing) -> None:
    growing = [{**one, "usage": {**USAGE, "completion_tokens": n}} for n, one in enumerate(SAID)]
    told_by(stood, framed(*growing, END, chunk(usage=USAGE)))
    assert post(stood, CHAT, "/v1/chat/completions", stream=True).content == framed(*growing, END)
    assert usage_of(stood) == WHOLE.usage
    check_chat(stood, framed(*growing, END, chunk(usage=USAGE)), WHOLE)


@pytest.mark.parametrize(
    "first",
    [
        {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []},
        chunk(),
        chunk({}),
        {},
    ],
)
def test_the_first_chunk_is_empty(stood: Standing, first: Any) -> None:
    told_by(stood, framed(first, *SAID, END, chunk(usage=USAGE)))
    answer = post(stood, CHAT, "/v1/messages", stream=True, max_tokens=9)
    start = json.loads(answer.text.splitlines()[1][6:])["message"]
    assert (start["id"], start["model"]) == ("msg_7", "m")
    assert stood.tell(lambda: streamed_to_claude(stood, CHAT)) == WHOLE
    if first:
        check_chat(stood, framed(first, *SAID, END, chunk(usage=USAGE)), WHOLE)


OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded."}}


@pytest.mark.parametrize("data", [json.dumps(OVERLOADED), '{"message": "Overloaded."}', "Overloaded.", '"Overloaded."'])
def test_an_event_named_error_ends_a_stream_of_status_200(stood: Standing, data: str) -> None:
    last = f"event: error\ndata: {data}\n\n".encode()
    body = framed(*BLOCKS[:3], done=False, named=True) + last
    told_by(stood, body)
    assert post(stood, MESSAGES, "/v1/messages", stream=True, max_tokens=9).content == body
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        stood.tell(lambda: streamed_to_claude(stood, MESSAGES))
    with pytest.raises(openai.APIError, match="Overloaded"):
        stood.tell(lambda: streamed_to_openai(stood, MESSAGES))
    assert (stood.last_row()["status"], stood.last_row()["error_code"]) == (502, "upstream-failed")
    told_by(stood, framed(*SAID, done=False) + last)
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        stood.tell(lambda: streamed_to_claude(stood, CHAT))


def test_data_with_an_error_ends_a_stream_of_status_200(stood: Standing) -> None:
    body = framed(*SAID, {"error": {"message": "Overloaded.", "code": 503}})
    told_by(stood, body)
    assert post(stood, CHAT, "/v1/chat/completions", stream=True).content == body
    assert (stood.last_row()["status"], stood.last_row()["error_code"]) == (502, "upstream-failed")
    with pytest.raises(openai.APIError, match="Overloaded"):
        stood.tell(lambda: streamed_to_openai(stood, CHAT))
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        stood.tell(lambda: streamed_to_claude(stood, CHAT))


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_comes_as_an_answer_of_status_200(stood: Standing, stream: bool) -> None:
    told_by(stood, json.dumps({"error": {"message": "Overloaded.", "code": 503}}).encode(), JSON)
    assert post(stood, CHAT, "/v1/chat/completions", stream=stream).json()["error"]["message"] == "Overloaded."
    answer = post(stood, CHAT, "/v1/messages", max_tokens=9, stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream-failed")
    assert answer.json()["error"]["message"].startswith("Overloaded.")


def test_an_error_that_is_null_is_none(stood: Standing) -> None:
    check_chat(stood, framed(*({**one, "error": None} for one in (*SAID, END, chunk(usage=USAGE)))), WHOLE)


def test_the_finish_reason_is_missing(stood: Standing) -> None:
    check_chat(stood, framed(*SAID), UNCOUNTED)
    whole = {
        "id": "chatcmpl-7",
        "choices": [{"message": {"role": "assistant", "content": "Good day."}}],
        "usage": USAGE,
    }
    told_by(stood, json.dumps(whole).encode(), JSON)
    assert post(stood, CHAT, "/v1/chat/completions").json() == whole
    assert post(stood, CHAT, "/v1/messages", max_tokens=9).json()["stop_reason"] == "end_turn"
    told_by(stood, framed(*BLOCKS[:4], BLOCKS[5], done=False, named=True))
    assert stood.tell(lambda: streamed_to_openai(stood, MESSAGES)).stop == "end"


def test_neither_a_finish_reason_nor_an_end_is_a_stream_that_was_cut(stood: Standing) -> None:
    told_by(stood, framed(*SAID, done=False))
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        stood.tell(lambda: streamed_to_claude(stood, CHAT))


def test_events_are_named_and_done_follows(stood: Standing) -> None:
    check_chat(stood, framed(*SAID, END, chunk(usage=USAGE), named=True), WHOLE)
    body = framed(*BLOCKS, named=True)
    told_by(stood, body)
    assert post(stood, MESSAGES, "/v1/messages", stream=True, max_tokens=9).content == body
    assert stood.tell(lambda: streamed_to_openai(stood, MESSAGES)) == WHOLE


@pytest.mark.parametrize("kind", [LINES, JSON, "text/plain"])
def test_objects_come_line_by_line_instead_of_events(stood: Standing, kind: str) -> None:
    body = b"".join(json.dumps(one).encode() + b"\n" for one in (*SAID, END, chunk(usage=USAGE)))
    check_chat(stood, body, WHOLE, kind)


@pytest.mark.parametrize("kind", [JSON, "text/plain; charset=utf-8"])
def test_events_come_under_a_wrong_name(stood: Standing, kind: str) -> None:
    check_chat(stood, framed(*SAID, END, chunk(usage=USAGE)), WHOLE, kind)


def test_events_have_no_name(stood: Standing) -> None:
    check_messages(stood, framed(*BLOCKS, done=False), WHOLE, named=False)
    with pytest.raises(KeyError):  # To its own SDK an event without a name is none.
        stood.tell(lambda: streamed_to_claude(stood, MESSAGES))


LLAMA = {"error": {"code": 400, "message": "The prompt is too long.", "type": "exceed_context_size_error"}}


def test_llama_cpps_errors_keep_openais_shape_and_a_number_as_code_on_messages(stood: Standing) -> None:
    body = json.dumps(LLAMA).encode()
    stood.upstream.act = answering(body, status=400)
    assert post(stood, MESSAGES, "/v1/messages").content == body
    with pytest.raises(anthropic.BadRequestError, match="too long"):
        stood.tell(lambda: streamed_to_claude(stood, MESSAGES))
    with pytest.raises(openai.BadRequestError, match="too long") as told:
        stood.tell(lambda: streamed_to_openai(stood, MESSAGES))
    assert told.value.code == "exceed_context_size_error"


def test_a_limit_is_optional_in_messages_and_the_servers_own_affair(stood: Standing) -> None:
    told_by(stood, json.dumps({**START, "content": [{"type": "text", "text": "Hi."}]}).encode(), JSON)
    assert post(stood, MESSAGES, "/v1/messages").status_code == 200
    assert "max_tokens" not in json.loads(stood.upstream.asked[-1][1])
    assert post(stood, CHAT.replace("openai-chat", "anthropic-messages"), "/v1/chat/completions").status_code == 200
    assert json.loads(stood.upstream.asked[-1][1])["max_tokens"] == 4096


def test_what_anthropics_sdk_has_no_parameter_for_is_carried_from_its_extra_body(stood: Standing) -> None:
    told_by(stood, framed(*SAID, END))
    more = {"temperature": 0.5, "top_p": 0.9}
    asked: Any = {"model": CHAT, "messages": HELLO, "max_tokens": 9, "extra_body": more}

    async def story() -> None:
        async with stood.claude.messages.stream(**asked) as stream:
            await stream.get_final_message()

    stood.tell(story)
    sent = json.loads(stood.upstream.asked[-1][1])
    assert {name: sent[name] for name in more} == more
