"""How the reference provider answers OpenAI chat completions: it echoes, counts words as tokens, and streams."""

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from modelscan.reference.echo import are_messages, pieces, reply, words_in
from modelscan.reference.faults import BrokenOff, Fault, cut_off
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
    """Echo the last user message, cut to max_tokens words; plain or streamed."""
    words, cut = reply(asked["messages"], asked.get("max_completion_tokens") or asked.get("max_tokens"))
    reason = "length" if cut else "stop"
    prompt = words_in([message.get("content") for message in asked["messages"]])
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
        return StreamingResponse(cut_off(b'{"id": "chatcmpl'), media_type="application/json", headers=headers)
    message = {"role": "assistant", "content": " ".join(words)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage}, headers=headers)


def _chunks(head: dict[str, Any], words: list[str], reason: str, usage: dict[str, int] | None) -> list[dict[str, Any]]:
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": text}, None) for text in pieces(words)]
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
    protocol=OPENAI_CHAT, missing=missing, answer=answer, count=count, models=models_list, model=model_card
)
