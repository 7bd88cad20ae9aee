"""Reading a provider's JSON: what is not of the right shape counts as not there, for an answer is no reason to fall."""

import json
from collections.abc import Iterator
from typing import Any

from modelscan.wire.protocol import tokens
from modelscan.wire.sse import LONGEST_EVENT, Lines, TooLong, data_in

__all__ = ["EventData", "TooLong", "count_at", "member", "rows", "said_error", "words"]

_LONGEST_WORDS = 1000


def member(value: Any, name: str) -> dict[str, Any]:
    """An object within an object; an empty one where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def rows(value: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a list within an object."""
    found = value.get(name) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def words(value: Any, name: str) -> str:
    """A text within an object; an empty one where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def count_at(value: Any, name: str) -> int | None:
    """A number of tokens within an object."""
    return tokens(value.get(name)) if isinstance(value, dict) else None


def said_error(payload: Any) -> tuple[str, str | None]:
    """(message, code) of an error as providers write them: OpenAI, Anthropic, and those who keep to neither."""
    error = payload.get("error") if isinstance(payload, dict) else None
    inner = error if isinstance(error, dict) else payload
    code = words(inner, "code") or words(inner, "type")
    message = words(inner, "message") or words(payload, "detail") or (error if isinstance(error, str) else "")
    return message, code or None


class EventData:
    """The JSON objects that server-sent events bring, which may be split anywhere; `[DONE]` is None."""

    def __init__(self) -> None:
        self._lines = Lines(LONGEST_EVENT)
        self._fails = False
        """Whether the event is named `error`, which says it whatever its data look like."""

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any] | None]:
        """What the next bytes bring to its end; what is no JSON object is passed over. Raises TooLong at last."""
        for line in self._lines.feed(chunk):
            data = data_in(line)
            if data is None:
                self._name(line)
            elif self._fails:
                yield _failure(data)
            elif data == b"[DONE]":
                yield None
            elif (event := _object(data)) is not None:
                yield event
        if self._lines.lost:
            raise TooLong

    def _name(self, line: bytes) -> None:
        if line.startswith(b"event:"):
            self._fails = line[6:].strip() == b"error"
        elif not line.strip():
            self._fails = False

    def end(self) -> Iterator[dict[str, Any] | None]:
        """What a last line without an end of its own brings, where the stream is over. Raises TooLong."""
        return self.feed(b"\n")


def _failure(data: bytes) -> dict[str, Any]:
    """The data of an event named `error`, in the shape of those who say so in the data, too."""
    said = _object(data)
    if said is None:
        return {"type": "error", "error": {"message": data.decode("utf-8", "replace")[:_LONGEST_WORDS]}}
    return said if said.get("error") else {"type": "error", "error": said}


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
