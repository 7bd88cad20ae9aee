"""What the reference provider says in every protocol: the last user message again, word by word."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

__all__ = ["Reply", "are_messages", "pieces", "reply", "text_of", "words_in"]


class Reply(NamedTuple):
    """The words, and whether the limit of tokens cut them."""

    words: list[str]
    cut: bool


def reply(messages: Sequence[dict[str, Any]], limit: object) -> Reply:
    """The words of the last message of a user, `limit` of them at most."""
    said = [text_of(message.get("content")) for message in messages if message.get("role") == "user"]
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
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def are_messages(messages: object) -> bool:
    """Whether it is a list of messages with something in it."""
    return isinstance(messages, list) and bool(messages) and all(isinstance(one, dict) for one in messages)
