"""A request for a chat in no protocol's words: each reads its callers' requests into it, and writes its own from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from modelscan.wire.chat.parts import Part

__all__ = ["ChatRequest", "Format", "Role", "Target", "Tool", "ToolChoice", "Turn", "Written"]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said. Results of tools are the user's."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the caller runs; `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether the model may, must or must not call a tool, or must call the one of that name."""

    kind: Literal["auto", "any", "none", "tool"] = "auto"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """The answer is JSON: of that schema, or any object where there is none."""

    schema: Mapping[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """None where the caller says nothing. What a protocol cannot say is named in `dropped` when it writes it."""

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel: bool | None = None
    """Whether several tools may be called at once."""
    limit: int | None = None
    """Of the answer, in tokens."""
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    format: Format | None = None
    effort: str | None = None
    """How much the model thinks: none, minimal, low, medium, high, xhigh or max."""
    user: str | None = None
    stream: bool = False
    usage_wanted: bool = True
    """Whether a stream ends with its usage."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Members under names that several protocols share, such as `metadata`; a writer takes those that it knows."""
    dropped: tuple[str, ...] = ()
    """What was left out when the request was read."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a request is written for."""

    model: str
    limit: int = 4096
    """The answer's limit in tokens where the protocol insists on one and the caller gives none."""
    limit_required: bool = False
    limit_field: str = "max_tokens"
    """What a provider of chat completions calls the limit."""
    stream_usage: bool = True
    """Whether a provider of chat completions can be asked for a stream's usage."""


@dataclass(frozen=True, slots=True)
class Written:
    """A request in a protocol's words, and the names of what could not be said in them."""

    body: dict[str, Any]
    dropped: tuple[str, ...]
