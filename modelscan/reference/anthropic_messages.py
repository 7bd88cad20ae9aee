"""How the reference provider answers Anthropic's Messages: it echoes, counts words as tokens, and streams by events."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from modelscan.reference.echo import Reply, are_messages, pieces, reply, words_in
from modelscan.reference.faults import BrokenOff, Fault, cut_off
from modelscan.reference.surface import Missing, Surface
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES

__all__ = ["ANTHROPIC_SURFACE", "answer"]

_CREATED = "2023-11-14T22:13:20Z"


def model_card(model: str) -> dict[str, Any]:
    """A model as the models list shows it."""
    return {"type": "model", "id": model, "display_name": model, "created_at": _CREATED}


def models_list(models: Sequence[str]) -> dict[str, Any]:
    """The only page of the models list."""
    ends = {"first_id": models[0], "last_id": models[-1]} if models else {"first_id": None, "last_id": None}
    return {"data": [model_card(model) for model in models], "has_more": False, **ends}


def missing(asked: dict[str, Any]) -> Missing | None:
    """What the request lacks."""
    if not are_messages(asked.get("messages")):
        return "messages: Field required", "messages"
    if any(message.get("role") not in ("user", "assistant") for message in asked["messages"]):
        return "messages: a role is user or assistant; the system prompt is a field of its own", "messages"
    limit = asked.get("max_tokens")
    return None if isinstance(limit, int) and limit > 0 else ("max_tokens: Field required", "max_tokens")


def count(asked: dict[str, Any]) -> dict[str, Any]:
    """The tokens of a request."""
    return {"input_tokens": _prompt(asked)}


def answer(asked: dict[str, Any], fault: Fault) -> Response:
    """Echo the last user message, cut to max_tokens words; plain or streamed."""
    said = reply(asked["messages"], asked["max_tokens"])
    head = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant", "model": asked["model"]}
    headers = {"request-id": f"req_{uuid.uuid4().hex}"}
    if asked.get("stream"):
        events = list(_events(head, said, _prompt(asked)))
        return StreamingResponse(_framed(events, fault), media_type="text/event-stream", headers=headers)
    if fault.name == "malformed":
        return Response('{"id": "msg_', media_type="application/json", headers=headers)
    if fault.name == "cut":
        return StreamingResponse(cut_off(b'{"id": "msg_'), media_type="application/json", headers=headers)
    content = [{"type": "text", "text": " ".join(said.words)}]
    usage = _usage(_prompt(asked), len(said.words))
    return JSONResponse({**head, "content": content, **_stopped(said), "usage": usage}, headers=headers)


def _prompt(asked: dict[str, Any]) -> int:
    return words_in([asked.get("system"), *(message.get("content") for message in asked["messages"])])


def _usage(prompt: int, completion: int) -> dict[str, Any]:
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": prompt, **cache, "output_tokens": completion}


def _stopped(said: Reply) -> dict[str, Any]:
    return {"stop_reason": "max_tokens" if said.cut else "end_turn", "stop_sequence": None}


def _events(head: dict[str, Any], said: Reply, prompt: int) -> Iterator[dict[str, Any]]:
    begun = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(prompt, 1)}
    yield {"type": "message_start", "message": begun}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "ping"}
    for piece in pieces(said.words):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": _stopped(said), "usage": {"output_tokens": len(said.words)}}
    yield {"type": "message_stop"}


async def _framed(events: Sequence[dict[str, Any]], fault: Fault) -> AsyncIterator[bytes]:
    for number, event in enumerate(events):
        if fault.name == "cut" and number == 4:
            raise BrokenOff
        if fault.name == "malformed" and number == 4:
            yield b'event: content_block_delta\ndata: {"type": \n\n'
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


ANTHROPIC_SURFACE = Surface(
    protocol=ANTHROPIC_MESSAGES, missing=missing, answer=answer, count=count, models=models_list, model=model_card
)
