"""How the reference provider speaks as a mapping says: requests are read by it, and the echo written by it."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from modelscan.reference.echo import Reply, are_messages, pieces, reply, words_in
from modelscan.reference.faults import BrokenOff, Fault, cut_off
from modelscan.reference.surface import Missing, Surface
from modelscan.types import RestAnswer, RestMapping
from modelscan.wire.protocol import WireProtocol
from modelscan.wire.rest_mapping import placed, values_at

__all__ = ["rest_surface"]


def rest_surface(protocol: WireProtocol, mapping: RestMapping) -> Surface:
    """A surface that speaks as `mapping` says."""
    return Surface(
        protocol=protocol,
        missing=partial(missing, mapping),
        answer=partial(answer, mapping),
        count=count,
        models=partial(models_list, mapping),
        model=partial(model_row, mapping),
        read=partial(read, mapping),
    )


def read(mapping: RestMapping, body: dict[str, Any], model: str | None, streamed: bool) -> dict[str, Any]:
    """The request with its `model`, `messages`, `max_tokens` and `stream` where the rest of this provider has them."""
    request = mapping.request
    roles = {word: role for role, word in request.roles.items()}
    turns = _first(body, request.messages)
    messages: Any = None
    if are_messages(turns):
        messages = [
            {"role": roles.get(str(_first(turn, request.role))), "content": _first(turn, request.content)}
            for turn in turns
        ]
    system = _first(body, request.system) if request.system else None
    return {
        **body,
        "model": _first(body, request.model) if request.model else model,
        "messages": messages,
        "system": system,
        "max_tokens": _first(body, request.max_tokens) if request.max_tokens else None,
        "stream": streamed or (request.stream is not None and _first(body, request.stream) is True),
    }


def _first(payload: Any, path: str) -> Any:
    return next(iter(values_at(payload, path)), None)


def missing(mapping: RestMapping, asked: dict[str, Any]) -> Missing | None:
    """What the request lacks."""
    where = mapping.request.messages
    if asked["messages"] is None:
        return f"{where} must be a list of messages", where
    wrong = [one for one in asked["messages"] if one["role"] is None or not _is_content(mapping, one["content"])]
    return (f"a message in {where} has a role or a content of another form", where) if wrong else None


def _is_content(mapping: RestMapping, content: Any) -> bool:
    if mapping.request.content_form == "text":
        return isinstance(content, str)
    return isinstance(content, list) and all(isinstance(part, dict) and "text" in part for part in content)


def count(asked: dict[str, Any]) -> dict[str, Any]:
    """No mapping has such an endpoint; the tokens of the prompt."""
    return {"prompt_tokens": words_in([asked["system"], *(message["content"] for message in asked["messages"])])}


def model_row(mapping: RestMapping, model: str) -> dict[str, Any]:
    """A model as the models list shows it."""
    row: dict[str, Any] = placed({}, mapping.models.id, mapping.models.prefix + model)
    return row


def models_list(mapping: RestMapping, models: Sequence[str]) -> dict[str, Any]:
    """The models list."""
    listed: dict[str, Any] = placed({}, mapping.models.rows, [model_row(mapping, model) for model in models])
    return listed


def answer(mapping: RestMapping, asked: dict[str, Any], fault: Fault) -> Response:
    """Echo the last user message, cut to the limit of tokens; plain or streamed."""
    said = reply(asked["messages"], asked["max_tokens"])
    usage = (count(asked)["prompt_tokens"], len(said.words))
    if asked["stream"]:
        kind = "text/event-stream" if mapping.stream.framing == "sse" else "application/x-ndjson"
        return StreamingResponse(_framed(mapping, [*_events(mapping, said, usage)], fault), media_type=kind)
    if fault.name == "malformed":
        return Response('{"broken', media_type="application/json")
    if fault.name == "cut":
        return StreamingResponse(cut_off(b'{"broken'), media_type="application/json")
    whole = placed({}, mapping.answer.text, " ".join(said.words))
    return JSONResponse(_ended(mapping, mapping.answer, whole, said, usage))


def _ended(mapping: RestMapping, at: RestAnswer, payload: Any, said: Reply, usage: tuple[int, int]) -> Any:
    """`payload` with why it ended and the tokens: one that is summed stands at its first place."""
    reason = "length" if said.cut else "stop"
    word = next((word for word, meant in mapping.finish_reasons.items() if meant == reason), reason)
    ended = placed(payload, at.finish[0], word)
    return placed(placed(ended, at.prompt_tokens[0], usage[0]), at.completion_tokens[0], usage[1])


def _events(mapping: RestMapping, said: Reply, usage: tuple[int, int]) -> Iterator[Any]:
    stream = mapping.stream
    for text in pieces(said.words):
        event = placed({}, stream.piece.text, text)
        # What ends a stream is there, and false, before it: so it must be read, not looked for.
        yield placed(event, stream.end_at, False) if stream.end_at and stream.end_value is True else event
    last = _ended(mapping, stream.piece, {}, said, usage)
    yield placed(last, stream.end_at, stream.end_value) if stream.end_at else last


async def _framed(mapping: RestMapping, events: Sequence[Any], fault: Fault) -> AsyncIterator[bytes]:
    before, after = (b"data: ", b"\r\n\r\n") if mapping.stream.framing == "sse" else (b"", b"\n")
    for number, event in enumerate(events):
        if fault.name == "cut" and number == 1:
            raise BrokenOff
        if fault.name == "malformed" and number == 1:
            yield before + b'{"broken' + after
        yield before + json.dumps(event).encode() + after
    if mapping.stream.end == "done_mark":
        yield before + b"[DONE]" + after
