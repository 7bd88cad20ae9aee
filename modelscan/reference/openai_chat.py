"""How the reference provider answers OpenAI chat completions: it echoes, counts words as tokens, and streams."""

import base64
import hashlib
import json
import struct
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from modelscan.reference.echo import ToolCall, are_messages, pieces, reply, tool_calls, words_in
from modelscan.reference.faults import BrokenOff, Fault, cut_off
from modelscan.reference.schema import example
from modelscan.reference.surface import Missing, Surface
from modelscan.wire.openai_chat import OPENAI_CHAT

__all__ = ["OPENAI_SURFACE", "answer", "model_card"]

_CREATED = 1_700_000_000
_LIMITS = {"x-ratelimit-limit-requests": "1000", "x-ratelimit-remaining-requests": "999"}


def model_card(model: str) -> dict[str, Any]:
    """A model as the models list shows it."""
    return {"id": model, "object": "model", "created": _CREATED, "owned_by": "reference"}


def models_list(models: Sequence[str]) -> dict[str, Any]:
    """The models list."""
    return {"object": "list", "data": [model_card(model) for model in models]}


def missing(asked: dict[str, Any]) -> Missing | None:
    """What the request lacks."""
    return None if are_messages(asked.get("messages")) else ("'messages' must be a list of messages.", "messages")


def count(asked: dict[str, Any]) -> dict[str, Any]:
    """This protocol has no such endpoint; the shape is that of usage."""
    return {"prompt_tokens": words_in([message.get("content") for message in asked["messages"]])}


def answer(asked: dict[str, Any], fault: Fault) -> Response:
    """Call a tool that is offered, else echo the last message cut to max_tokens words; plain or streamed."""
    message, reason, spent = _said(asked)
    prompt = words_in([message.get("content") for message in asked["messages"]])
    usage = {"prompt_tokens": prompt, "completion_tokens": spent, "total_tokens": prompt + spent}
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": _CREATED, "model": asked["model"]}
    headers = {**_LIMITS, "x-request-id": f"req_{uuid.uuid4().hex}"}
    if asked.get("stream"):
        options = asked.get("stream_options") or {}
        chunks = _chunks(head, message, reason, usage if options.get("include_usage") else None)
        return StreamingResponse(_events(chunks, fault), media_type="text/event-stream", headers=headers)
    if fault.name == "malformed":
        return Response('{"id": "chatcmpl', media_type="application/json", headers=headers)
    if fault.name == "cut":
        return StreamingResponse(cut_off(b'{"id": "chatcmpl'), media_type="application/json", headers=headers)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage}, headers=headers)


def _said(asked: dict[str, Any]) -> tuple[dict[str, Any], str, int]:
    """(the message, why it ends, its tokens)."""
    if calls := _calls(asked):
        told = [
            {
                "id": f"call_{uuid.uuid4().hex[:24]}",
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in calls
        ]
        return {"role": "assistant", "content": None, "tool_calls": told}, "tool_calls", len(calls)
    form = asked.get("response_format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        named = form.get("json_schema")
        text = json.dumps(example(named.get("schema") if isinstance(named, dict) else None))
        return {"role": "assistant", "content": text}, "stop", len(text.split())
    words, cut = reply(asked["messages"], asked.get("max_completion_tokens") or asked.get("max_tokens"))
    return {"role": "assistant", "content": " ".join(words)}, "length" if cut else "stop", len(words)


def _calls(asked: dict[str, Any]) -> list[ToolCall]:
    """What is called: a tool's result is answered in words."""
    tools, choice = asked.get("tools"), asked.get("tool_choice")
    if not isinstance(tools, list) or choice == "none" or asked["messages"][-1].get("role") != "user":
        return []
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    offered = [(one.get("name"), one.get("parameters")) for one in functions if isinstance(one, dict)]
    chosen = choice.get("function") if isinstance(choice, dict) else None
    together = asked.get("parallel_tool_calls") is True
    return tool_calls(offered, chosen.get("name") if isinstance(chosen, dict) else None, together=together)


def embed(asked: dict[str, Any]) -> dict[str, Any]:
    """A short vector for each text, the same for the same text; in base64 where that is asked for, as the SDK does."""
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    vectors = [_vector(str(text)) for text in texts]
    packed = asked.get("encoding_format") == "base64"
    told = [base64.b64encode(struct.pack("<8f", *one)).decode() if packed else one for one in vectors]
    rows = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(told)]
    prompt = words_in([str(text) for text in texts])
    usage = {"prompt_tokens": prompt, "total_tokens": prompt}
    return {"object": "list", "data": rows, "model": asked["model"], "usage": usage}


def _vector(text: str) -> list[float]:
    return [byte / 256 for byte in hashlib.sha256(text.encode()).digest()[:8]]


def _chunks(
    head: dict[str, Any], message: dict[str, Any], reason: str, usage: dict[str, int] | None
) -> list[dict[str, Any]]:
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": text}, None) for text in pieces((message["content"] or "").split())]
    for index, call in enumerate(message.get("tool_calls", ())):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        begun = {**call, "index": index, "function": {"name": name, "arguments": ""}}
        deltas.append(({"tool_calls": [begun]}, None))
        for piece in (arguments[:5], arguments[5:]):
            deltas.append(({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, None))
    deltas.append(({}, reason))
    chunks = [
        {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in deltas
    ]
    if usage is None:
        return chunks
    return [*chunks, {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}]


async def _events(chunks: list[dict[str, Any]], fault: Fault) -> AsyncIterator[bytes]:
    for number, chunk in enumerate(chunks):
        if fault.name == "cut" and number == 2:
            raise BrokenOff
        if fault.name == "malformed" and number == 2:
            yield b'data: {"choices": [\n\n'
        yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


OPENAI_SURFACE = Surface(
    protocol=OPENAI_CHAT,
    missing=missing,
    answer=answer,
    count=count,
    embed=embed,
    models=models_list,
    model=model_card,
)
