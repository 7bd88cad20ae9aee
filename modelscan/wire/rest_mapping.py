"""What a mapping of a custom REST service means: a chat written as its request, its answers and streams read.

Pure functions over plain data. Answers are foreign: whatever they hold, reading them never raises.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from modelscan.errors import InvalidInput
from modelscan.types import FinishReason, RestAnswer, RestMapping
from modelscan.wire.protocol import Usage, tokens
from modelscan.wire.sse import LONGEST_EVENT, DataLines, Lines, TooLong

__all__ = [
    "PieceReader",
    "Said",
    "StreamUsage",
    "answer_of",
    "error_of",
    "model_ids",
    "placed",
    "request_body",
    "text_of",
    "usage_after",
    "usage_of",
    "values_at",
]

_OPTIONS = ("max_tokens", "temperature", "top_p", "stop")


class Said(NamedTuple):
    """What an answer, or one piece of a streamed one, says."""

    text: str = ""
    finish: FinishReason | None = None
    """Only once it has ended."""
    usage: Usage = Usage()
    error: str = ""
    """The message of an error that came instead."""


def request_body(
    mapping: RestMapping,
    *,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    stream: bool = False,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a chat.

    `messages` have the `role` system, user or assistant and a `content` of text; `options` are of max_tokens,
    temperature, top_p and stop, and one that the service does not know, or that is None, is left out.
    Raises InvalidInput for another role.
    """
    request = mapping.request
    body: dict[str, Any] = placed({}, request.model, model) if request.model else {}
    body = placed(body, request.messages, [turn for message in messages for turn in _turns(mapping, message)])
    system = [text_of(message.get("content")) for message in messages if _role(message) == "system"]
    if request.system and system:
        body = placed(body, request.system, _content(mapping, "\n\n".join(system)))
    for name in _OPTIONS:
        value = (options or {}).get(name)
        if (path := getattr(request, name)) and value is not None:
            body = placed(body, path, [value] if name == "stop" and isinstance(value, str) else value)
    return placed(body, request.stream, stream) if request.stream else body


def _role(message: Mapping[str, Any]) -> str:
    """OpenAI's newer models call the system's role `developer`."""
    role = message.get("role")
    return "system" if role == "developer" else str(role)


def _turns(mapping: RestMapping, message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The message as the service has it; none where it goes to the field of the system prompt."""
    role, request = _role(message), mapping.request
    if word := next((word for one, word in request.roles.items() if one == role), None):
        said = _content(mapping, text_of(message.get("content")))
        yield placed(placed({}, request.role, word), request.content, said)
    elif role != "system":
        raise InvalidInput(
            f"A message of the role {role[:40]!r} cannot be sent to a service that speaks {mapping.name}.",
            hint=f"It takes {', '.join(request.roles)}.",
        )


def text_of(content: Any) -> str:
    """The text of a message's content, which is a text or a list of parts of which some have one."""
    if isinstance(content, list):
        return "".join(text for part in content if isinstance(part, dict) and isinstance(text := part.get("text"), str))
    return content if isinstance(content, str) else ""


def _content(mapping: RestMapping, text: str) -> Any:
    return text if mapping.request.content_form == "text" else [{"text": text}]


def answer_of(mapping: RestMapping, payload: Any) -> Said:
    """What a whole answer says."""
    return _said(mapping, mapping.answer, payload)


def usage_of(mapping: RestMapping, payload: Any) -> Usage:
    """The tokens that a whole answer tells."""
    return _usage(mapping.answer, payload)


def error_of(mapping: RestMapping, payload: Any) -> str:
    """The message of an error; empty where there is none."""
    return next((text for path in mapping.error if (text := _text(payload, path))), "")


def model_ids(mapping: RestMapping, payload: Any) -> list[str | None] | None:
    """The ids of a models list, None for each row that has none; None where it is no list."""
    if not any(isinstance(found, list) for found in values_at(payload, mapping.models.rows)):
        return None
    found = []
    for row in values_at(payload, f"{mapping.models.rows}.*"):
        id_ = next((one for one in values_at(row, mapping.models.id) if isinstance(one, str)), None)
        found.append(id_ and id_.removeprefix(mapping.models.prefix))
    return found


class PieceReader:
    """Reads the pieces of a streamed answer, which may be split anywhere."""

    def __init__(self, mapping: RestMapping) -> None:
        self._mapping = mapping
        self._lines = (DataLines if mapping.stream.framing == "sse" else Lines)(LONGEST_EVENT)
        self.ended = False
        """Whether the end came that the mapping says; a stream that ends with its connection never says so."""

    def feed(self, chunk: bytes) -> Iterator[Said]:
        """The pieces that the next bytes, as they came, bring to their end; what is no JSON is passed over.

        Raises TooLong.
        """
        for line in self._lines.feed(chunk):
            if self.ended or not line.strip():
                continue
            if self._mapping.stream.end == "done_mark" and line.strip() == b"[DONE]":
                self.ended = True
                continue
            try:
                payload = json.loads(line)
            except (ValueError, RecursionError):
                continue
            self.ended = self._is_last(payload)
            yield _said(self._mapping, self._mapping.stream.piece, payload)
        if self._lines.lost:
            raise TooLong

    def end(self) -> Iterator[Said]:
        """The piece that a last line without an end of its own brings, where the stream is over."""
        return self.feed(b"\n")

    def _is_last(self, payload: Any) -> bool:
        stream = self._mapping.stream
        found = values_at(payload, stream.end_at) if stream.end_at else []
        return any(type(one) is type(stream.end_value) and one == stream.end_value for one in found)


class StreamUsage:
    """Reads usage and errors on the side of a relayed stream."""

    def __init__(self, mapping: RestMapping) -> None:
        self.usage = Usage()
        self.failed = False
        self._pieces = PieceReader(mapping)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, as they came."""
        with suppress(TooLong):
            for piece in self._pieces.feed(chunk):
                self.failed = self.failed or bool(piece.error)
                self.usage = usage_after(self.usage, piece.usage)


def usage_after(known: Usage, new: Usage) -> Usage:
    """What a stream has told with a piece that tells `new`: the last number counts, but for an answer of 0."""
    return Usage(
        known.prompt if new.prompt is None else new.prompt,
        new.completion or known.completion,
        known.cached if new.cached is None else new.cached,
        None,
        known.reasoning if new.reasoning is None else new.reasoning,
    )


def _said(mapping: RestMapping, at: RestAnswer, payload: Any) -> Said:
    words = [word for path in at.finish for word in values_at(payload, path) if isinstance(word, str) and word]
    # A word that the mapping lacks ends an answer like any other.
    finish = mapping.finish_reasons.get(words[0], "stop") if words else None
    return Said(_text(payload, at.text), finish, _usage(at, payload), error_of(mapping, payload))


def _text(payload: Any, path: str) -> str:
    return "".join(one for one in values_at(payload, path) if isinstance(one, str))


def _usage(at: RestAnswer, payload: Any) -> Usage:
    return Usage(
        _sum(payload, at.prompt_tokens),
        _sum(payload, at.completion_tokens),
        _sum(payload, at.cached_tokens),
        None,
        _sum(payload, at.reasoning_tokens),
    )


def _sum(payload: Any, paths: Sequence[str] | None) -> int | None:
    counts = [count for path in paths or () for one in values_at(payload, path) if (count := tokens(one)) is not None]
    return sum(counts) if counts else None


def values_at(payload: Any, path: str) -> list[Any]:
    """All that stands at an AnswerPath; nothing where the payload has another shape."""
    found = [payload]
    for step in path.split("."):
        inner: list[Any] = []
        for one in found:
            if isinstance(one, dict) and step in one:
                inner.append(one[step])
            elif isinstance(one, list) and step == "*":
                inner.extend(one)
            elif isinstance(one, list) and step.isdecimal():
                inner.extend(one[int(step) : int(step) + 1])
        found = inner
    return found


def placed(payload: Any, path: str, value: Any) -> Any:
    """`payload` with `value` at a path; what is not there on the way is made, `*` being the first of a list."""
    step, _, rest = path.partition(".")
    if step == "*" or step.isdecimal():
        rows = list(payload) if isinstance(payload, list) else []
        at = 0 if step == "*" else int(step)
        rows += [None] * (at + 1 - len(rows))
        rows[at] = placed(rows[at], rest, value) if rest else value
        return rows
    whole = dict(payload) if isinstance(payload, dict) else {}
    whole[step] = placed(whole.get(step), rest, value) if rest else value
    return whole
