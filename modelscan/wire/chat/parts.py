"""What a turn of a chat is made of, whichever protocol it is spoken in."""

from dataclasses import dataclass

__all__ = ["Document", "Image", "Part", "Refusal", "Text", "Thinking", "ToolCall", "ToolResult"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's words for why it does not answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: an address, or its bytes in base64 with their media type."""

    url: str = ""
    media_type: str = ""
    data: str = ""
    detail: str | None = None
    """How closely it is looked at, in OpenAI's words."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file, mostly a PDF: an address, or its bytes in base64 with their media type."""

    url: str = ""
    media_type: str = ""
    data: str = ""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """What the model thought. Only what its provider signed can be sent back to it."""

    text: str
    signature: str = ""
    hidden: str = ""
    """Encrypted thoughts, where the provider shows no others."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool; `arguments` is a JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered to the call of that id."""

    id: str
    parts: tuple["Text | Image | Document", ...]
    failed: bool = False


Part = Text | Refusal | Image | Document | Thinking | ToolCall | ToolResult
