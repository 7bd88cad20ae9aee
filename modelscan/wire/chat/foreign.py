"""Reading a provider's JSON: what is not of the right shape counts as not there, for an answer is no reason to fall."""

import json
from typing import Any

from modelscan.wire.protocol import tokens

__all__ = ["EventData", "TooLong", "count_at", "member", "rows", "said_error", "words"]

_LONGEST_EVENT = 32 << 20


class TooLong(ValueError):
    """An event beyond all measure."""


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
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[dict[str, Any] | None]:
        """What the next bytes bring to its end; what is no JSON object is passed over. Raises TooLong."""
        found: list[dict[str, Any] | None] = []
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._rest, lines[0]])
            self._rest, self._size = [], 0
        if rest:
            self._rest.append(rest)
            self._size += len(rest)
            if self._size > _LONGEST_EVENT:
                raise TooLong
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data == b"[DONE]":
                    found.append(None)
                elif (event := _object(data)) is not None:
                    found.append(event)
        return found


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
