"""How the reference provider answers Anthropic's Messages: it echoes, counts words as tokens, and streams by events."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NamedTuple

from starlette.responses import JSONResponse, Response, StreamingResponse

from modelscan.reference.echo import ToolCall, are_messages, pieces, reply, tool_calls, words_in
from modelscan.reference.faults import BrokenOff, Fault, cut_off
from modelscan.reference.schema import example
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
    """Call a tool that is offered, else echo the last message cut to max_tokens words; plain or streamed."""
    said = _said(asked)
    head = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant", "model": asked["model"]}
    headers = {"request-id": f"req_{uuid.uuid4().hex}"}
    if asked.get("stream"):
        events = list(_events(head, said, _prompt(asked)))
        return StreamingResponse(_framed(events, fault), media_type="text/event-stream", headers=headers)
    if fault.name == "malformed":
        return Response('{"id": "msg_', media_type="application/json", headers=headers)
    if fault.name == "cut":
        return StreamingResponse(cut_off(b'{"id": "msg_'), media_type="application/json", headers=headers)
    usage = _usage(_prompt(asked), said.spent)
    return JSONResponse({**head, "content": said.content, **_stopped(said), "usage": usage}, headers=headers)


class _Said(NamedTuple):
    content: list[dict[str, Any]]
    reason: str
    spent: int


def _said(asked: dict[str, Any]) -> _Said:
    if calls := _calls(asked):
        told = [
            {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex[:24]}", "name": call.name, "input": call.arguments}
            for call in calls
        ]
        return _Said(told, "tool_use", len(calls))
    config = asked.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        text = json.dumps(example(form.get("schema")))
        return _Said([{"type": "text", "text": text}], "end_turn", len(text.split()))
    words, cut = reply(asked["messages"], asked["max_tokens"])
    return _Said([{"type": "text", "text": " ".join(words)}], "max_tokens" if cut else "end_turn", len(words))


def _calls(asked: dict[str, Any]) -> list[ToolCall]:
    """What is called: a tool's result is answered in words."""
    tools, choice = asked.get("tools"), asked.get("tool_choice")
    chosen = choice if isinstance(choice, dict) else {}
    last = asked["messages"][-1].get("content")
    results = isinstance(last, list) and any(isinstance(one, dict) and one.get("type") == "tool_result" for one in last)
    if not isinstance(tools, list) or chosen.get("type") == "none" or results:
        return []
    offered = [(one.get("name"), one.get("input_schema")) for one in tools if isinstance(one, dict)]
    return tool_calls(offered, chosen.get("name"), together=chosen.get("disable_parallel_tool_use") is False)


def _prompt(asked: dict[str, Any]) -> int:
    return words_in([asked.get("system"), *(message.get("content") for message in asked["messages"])])


def _usage(prompt: int, completion: int) -> dict[str, Any]:
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": prompt, **cache, "output_tokens": completion}


def _stopped(said: _Said) -> dict[str, Any]:
    return {"stop_reason": said.reason, "stop_sequence": None}


def _events(head: dict[str, Any], said: _Said, prompt: int) -> Iterator[dict[str, Any]]:
    begun = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(prompt, 1)}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(said.content):
        empty: dict[str, Any] = {"input": {}} if block["type"] == "tool_use" else {"text": ""}
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": _stopped(said), "usage": {"output_tokens": said.spent}}
    yield {"type": "message_stop"}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "tool_use":
        whole = json.dumps(block["input"])
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in (whole[:5], whole[5:]))
    else:
        yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"].split()))


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
