"""How the reference provider answers OpenAI chat completions: it echoes, counts words as tokens, and streams."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from modelscan.reference.faults import Fault

__all__ = ["answer", "has_messages", "model_card"]

_CREATED = 1_700_000_000
_LIMITS = {"x-ratelimit-limit-requests": "1000", "x-ratelimit-remaining-requests": "999"}


class BrokenOff(Exception):
    """Raised inside a response to drop its connection, as the fault `cut` asks."""


def model_card(model: str) -> dict[str, Any]:
    """A model as the models list shows it."""
    return {"id": model, "object": "model", "created": _CREATED, "owned_by": "reference"}


def has_messages(asked: dict[str, Any]) -> bool:
    """Whether the request has messages of the right shape."""
    messages = asked.get("messages")
    return isinstance(messages, list) and bool(messages) and all(isinstance(one, dict) for one in messages)


def answer(asked: dict[str, Any], fault: Fault) -> Response:
    """Echo the last user message, cut to max_tokens words; plain or streamed."""
    words, reason = _reply(asked)
    prompt = sum(len(_text(message).split()) for message in asked["messages"])
    usage = {"prompt_tokens": prompt, "completion_tokens": len(words), "total_tokens": prompt + len(words)}
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": _CREATED, "model": asked["model"]}
    headers = {**_LIMITS, "x-request-id": f"req_{uuid.uuid4().hex}"}
    if asked.get("stream"):
        options = asked.get("stream_options") or {}
        chunks = _chunks(head, words, reason, usage if options.get("include_usage") else None)
        return StreamingResponse(_events(chunks, fault), media_type="text/event-stream", headers=headers)
    if fault.name == "malformed":
        return Response('{"id": "chatcmpl', media_type="application/json", headers=headers)
    if fault.name == "cut":
        return StreamingResponse(_cut(), media_type="application/json", headers=headers)
    message = {"role": "assistant", "content": " ".join(words)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage}, headers=headers)


def _reply(asked: dict[str, Any]) -> tuple[list[str], str]:
    said = [_text(message) for message in asked["messages"] if message.get("role") == "user"]
    words = (said[-1] if said else "").split() or ["(nothing)"]
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
    if isinstance(limit, int) and 0 < limit < len(words):
        return words[:limit], "length"
    return words, "stop"


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _chunks(head: dict[str, Any], words: list[str], reason: str, usage: dict[str, int] | None) -> list[dict[str, Any]]:
    texts = [word if number == 0 else f" {word}" for number, word in enumerate(words)]
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": text}, None) for text in texts]
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


async def _cut() -> AsyncIterator[bytes]:
    yield b'{"id": "chatcmpl'
    raise BrokenOff
