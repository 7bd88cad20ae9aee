"""What the reference provider says in every protocol: what it was told last, word by word; or it calls a tool."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from modelscan.reference.schema import example

__all__ = ["Reply", "ToolCall", "are_messages", "pieces", "reply", "text_of", "tool_calls", "words_in"]


class Reply(NamedTuple):
    """The words, and whether the limit of tokens cut them."""

    words: list[str]
    cut: bool


class ToolCall(NamedTuple):
    """A tool's name and the arguments it is called with."""

    name: str
    arguments: dict[str, Any]


def tool_calls(tools: Sequence[tuple[object, object]], chosen: object, *, together: bool = False) -> list[ToolCall]:
    """Calls of the (name, schema)s offered: of the one that was `chosen`, else of the first, or of all `together`."""
    named = [(name, schema) for name, schema in tools if isinstance(name, str)]
    wanted = [tool for tool in named if tool[0] == chosen] or (named if together else named[:1])
    return [ToolCall(name, found if isinstance(found := example(schema), dict) else {}) for name, schema in wanted]


def reply(messages: Sequence[dict[str, Any]], limit: object) -> Reply:
    """The words of the last message of a user or a tool, `limit` of them at most."""
    said = [text_of(message.get("content")) for message in messages if message.get("role") in ("tool", "user")]
    words = (said[-1] if said else "").split() or ["(nothing)"]
    if isinstance(limit, int) and 0 < limit < len(words):
        return Reply(words[:limit], cut=True)
    return Reply(words, cut=False)


def pieces(words: Sequence[str]) -> Iterator[str]:
    """The words as a stream brings them, each with the space before it."""
    return (word if number == 0 else f" {word}" for number, word in enumerate(words))


def words_in(contents: Sequence[object]) -> int:
    """How many words, which are counted as tokens."""
    return sum(len(text_of(content).split()) for content in contents)


def text_of(content: object) -> str:
    """The text of a message's content, which is a text or a list of parts."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        return " ".join(text_of(part["content"]) if "content" in part else str(part.get("text", "")) for part in parts)
    return content if isinstance(content, str) else ""


def are_messages(messages: object) -> bool:
    """Whether it is a list of messages with something in it."""
    return isinstance(messages, list) and bool(messages) and all(isinstance(one, dict) for one in messages)
