"""Tokens that nobody told: guessed from bytes, for rows without a count, and to reserve before a request is sent."""

from collections.abc import Mapping
from typing import Any

from modelscan.types import Usage

__all__ = ["DEFAULT_COMPLETION", "estimated_tokens", "reserved", "said_tokens", "used_up_to"]

DEFAULT_COMPLETION = 1024
"""Tokens to reserve for an answer whose length the caller did not limit."""
_EVENT_BYTES = 200
"""Of a stream's event, where no piece is as long as one."""
_BYTES_A_TOKEN = 4
"""Of English and JSON; Chinese takes about 3, so that a guess is rather too low there."""
_LEAST_BYTES_A_TOKEN = 3
"""Of what is asked in ASCII; of other letters half as many. All recorded exchanges have more."""
_FRAME, _TOOLS = 128, 512
"""Tokens that providers add of their own: to every prompt, and where tools are told."""
_FETCHED = 4096
"""Tokens of a picture, of a document at an address, and of what a tool finds that the provider runs."""
_SAID = ("text", "input_text", "output_text", "tool_use", "thinking", "redacted_thinking", "refusal")
"""Types of parts whose bytes tell their tokens. No set: a caller may send a type that has no hash."""
_OWN_TOOLS = (None, "function", "custom")
"""Types of tools that the caller runs."""
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_MOST_RESERVED = 10**7


def estimated_tokens(body_bytes: int) -> int:
    """How many tokens so many bytes may be: a quarter, at least one where there are any."""
    return -(-body_bytes // _BYTES_A_TOKEN)


def reserved(body: bytes, members: Mapping[str, Any]) -> tuple[int, int]:
    """(prompt, completion) tokens to reserve for a request, a JSON object with these members, before it is sent.

    More than was used in any recorded exchange, by a third and a little more; what was used is settled afterwards.
    """
    size, prompt = len(body), _FRAME
    for part in _parts(members):
        prompt += _FETCHED
        size -= _picture_bytes(part)
    prompt += (size if body.isascii() else 2 * size) // _LEAST_BYTES_A_TOKEN
    if members.get("tools"):
        prompt += _TOOLS + _FETCHED * _provider_tools(members["tools"])
    return prompt, _answer(members)


def _answer(members: Mapping[str, Any]) -> int:
    """Tokens to reserve for the answer: the limit that the caller set, in any of the protocols, else
    DEFAULT_COMPLETION, as often as it is asked for at once (`n`)."""
    limit = DEFAULT_COMPLETION
    for name in _LIMITS:  # A loop costs half of what a generator does, on each request.
        if name in members and (found := _count(members[name])):
            limit = found
            break
    times = (_count(members["n"]) or 1) if "n" in members else 1
    return min(limit * times, _MOST_RESERVED)


def _parts(members: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a chat holds beside words: pictures, documents, sound. Of a chat without such, a loop over its messages."""
    found: list[dict[str, Any]] = []
    messages = members.get("messages") or members.get("input")
    if isinstance(messages, list):
        for message in messages:
            if isinstance(message, dict) and isinstance(message.get("content"), list):
                _find(message["content"], found)
    return found


def _find(content: list[Any], found: list[dict[str, Any]]) -> None:
    for part in content:
        if not isinstance(part, dict) or part.get("type") in _SAID:
            continue
        if part.get("type") != "tool_result":
            found.append(part)
        elif isinstance(part.get("content"), list):
            _find(part["content"], found)


def _picture_bytes(part: dict[str, Any]) -> int:
    """How many of its bytes are a picture's, as OpenAI's and Anthropic's callers send it: they tell no tokens."""
    told = part.get("image_url") or (part.get("source") if part.get("type") == "image" else None)
    if isinstance(told, dict):
        told = told.get("url") or told.get("data")
    return len(told) if isinstance(told, str) else 0


def _provider_tools(tools: Any) -> int:
    """How many of them the provider runs itself, and reads what they find."""
    told = tools if isinstance(tools, list) else ()
    return sum(isinstance(tool, dict) and tool.get("type") not in _OWN_TOOLS for tool in told)


def said_tokens(size: int, last: bytes, *, stream: bool) -> int:
    """How many tokens an answer of which `size` bytes came may have; `last` is the last piece of them.

    The event of a stream is mostly frame, and one token: as many are counted as events of the last piece's size.
    """
    if not stream:
        return estimated_tokens(size)
    events = last.count(b"data:") or last.count(b"\n") or 1
    return max(round(size * events / (len(last) or _EVENT_BYTES)), 1) if size else 0


def used_up_to(told: Usage, sent_bytes: int, said: int) -> Usage:
    """`told`, with what it lacks guessed; more may have been said than was told before a stream was cut."""
    return told._replace(
        prompt=estimated_tokens(sent_bytes) if told.prompt is None else told.prompt,
        completion=max(told.completion or 0, said),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
