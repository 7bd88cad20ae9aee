"""A request for Anthropic's Messages, read for a provider that speaks another protocol."""

from typing import Any

from modelscan.wire.chat.members import Members, not_carried, wrong
from modelscan.wire.chat.parts import Document, Image, Part, Text, Thinking, ToolCall, ToolResult
from modelscan.wire.chat.request import ChatRequest, Format, Role, Tool, ToolChoice, Turn
from modelscan.wire.chat.spoke import compact

__all__ = ["read_request"]

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
_NOT_CARRIED = ("container", "context_management", "mcp_servers")
_CHOICES = {"auto": "auto", "any": "any", "none": "none"}
_EFFORTS = ((4096, "low"), (16384, "medium"))
"""A budget below so many tokens is this effort; a higher one is `high`."""


def read_request(body: dict[str, Any]) -> ChatRequest:
    """The request in no protocol's words; raises InvalidInput."""
    asked = Members(body)
    for name in _NOT_CARRIED:
        if asked.has(name):
            raise not_carried(name, "it", "Ask a model of a provider that speaks Messages.")
    output = asked.object("output_config")
    effort, form = _effort(asked, output), _format(output)
    choice, parallel = _tool_choice(asked.object("tool_choice"))
    metadata = asked.object("metadata")
    user = metadata.text("user_id") if metadata else None
    for one in (output, metadata):
        if one:
            one.end()
    asked.ignore("model")
    return ChatRequest(
        turns=(*_system(asked), *_turns(asked)),
        tools=tuple(_tool(one) for one in asked.items("tools")),
        tool_choice=choice,
        parallel=parallel,
        limit=asked.count("max_tokens"),
        temperature=asked.number("temperature"),
        top_p=asked.number("top_p"),
        stop=asked.texts("stop_sequences"),
        format=form,
        effort=effort,
        user=user,
        stream=asked.flag("stream") or False,
        extras=asked.rest(),
        dropped=tuple(asked.dropped),
    )


def _effort(asked: Members, output: Members | None) -> str | None:
    """As it is said, or after the budget; thinking that is switched off is what the others do unless asked."""
    said = output.text("effort") if output else None
    thinking = asked.object("thinking")
    if thinking is None:
        return said
    kind, budget = thinking.needed("type"), thinking.count("budget_tokens")
    thinking.ignore("display")
    thinking.end()
    if kind != "enabled" or budget is None:
        return None if kind == "disabled" else said
    return said or next((effort for below, effort in _EFFORTS if budget < below), "high")


def _format(output: Members | None) -> Format | None:
    given = output.object("format") if output else None
    if given is None:
        return None
    if given.needed("type") != "json_schema":
        raise wrong(given.at("type"), "json_schema")
    schema = given.json("schema")
    given.end()
    return Format(schema or {}, strict=True)


def _tool_choice(given: Members | None) -> tuple[ToolChoice | None, bool | None]:
    if given is None:
        return None, None
    kind, alone = given.needed("type"), given.flag("disable_parallel_tool_use")
    name = given.needed("name") if kind == "tool" else ""
    if kind != "tool" and kind not in _CHOICES:
        raise wrong(given.at("type"), "auto, any, none or tool")
    given.end()
    parallel = None if alone is None else not alone
    return ToolChoice(_CHOICES.get(kind, "tool"), name), parallel  # type: ignore[arg-type]  # One of the kinds.


def _tool(tool: Members) -> Tool:
    if (kind := tool.text("type")) not in (None, "custom"):
        raise not_carried(tool.path, f"a tool of the type {str(kind)[:40]!r}", "Send a tool with an `input_schema`.")
    found = Tool(tool.needed("name"), tool.text("description"), tool.json("input_schema"), tool.flag("strict"))
    tool.end()
    return found


def _system(asked: Members) -> tuple[Turn, ...]:
    value = asked.raw("system")
    if isinstance(value, str):
        return (Turn("system", (Text(value),)),) if value else ()
    parts = tuple(_part(block) for block in asked.objects("system", value))
    if not all(isinstance(part, Text) for part in parts):
        raise wrong("system", "a text or a list of text blocks")
    return (Turn("system", parts),) if parts else ()


def _turns(asked: Members) -> tuple[Turn, ...]:
    messages = asked.items("messages")
    if not messages:
        raise wrong("messages", "a list of messages")
    return tuple(_turn(message) for message in messages)


def _turn(message: Members) -> Turn:
    role = message.needed("role")
    if role not in _ROLES:
        raise wrong(message.at("role"), "user, assistant or system")
    parts = _content(message)
    message.end()
    for part in parts:
        if role == "assistant" and not isinstance(part, Text | Thinking | ToolCall):
            raise wrong(message.at("content"), "text, thinking and tool_use blocks")
        if role != "assistant" and isinstance(part, Thinking | ToolCall):
            raise wrong(message.at("content"), "what a user says: text, pictures, documents and tool_result blocks")
    return Turn(_ROLES[role], parts)


def _content(holder: Members) -> tuple[Part, ...]:
    value = holder.raw("content")
    if isinstance(value, str):
        return (Text(value),)
    if value is None:
        raise wrong(holder.at("content"), "a text or a list of blocks")
    return tuple(_part(block) for block in holder.objects("content", value))


def _part(block: Members) -> Part:
    kind = block.needed("type")
    found: Part
    match kind:
        case "text":
            found = Text(block.needed("text"))
        case "image":
            found = _image(block.needed_object("source"))
        case "document":
            found = _document(block.needed_object("source"), block.text("title"))
        case "thinking":
            found = Thinking(block.needed("thinking"), block.text("signature") or "")
        case "redacted_thinking":
            found = Thinking("", hidden=block.needed("data"))
        case "tool_use":
            found = ToolCall(block.needed("id"), block.needed("name"), _arguments(block))
        case "tool_result":
            found = _result(block)
        case _:
            instead = "Send text, pictures, documents and tools of your own."
            raise not_carried(block.path, f"a block of the type {kind[:40]!r}", instead)
    block.end()
    return found


def _arguments(block: Members) -> str:
    value = block.json("input")
    try:
        return compact(value or {})
    except (ValueError, RecursionError) as error:
        raise wrong(block.at("input"), "an object that JSON can hold") from error


def _image(source: Members) -> Image:
    kind = source.needed("type")
    if kind == "base64":
        found = Image(media_type=source.needed("media_type"), data=source.needed("data"))
    elif kind == "url":
        found = Image(source.needed("url"))
    else:
        raise not_carried(source.path, f"a picture of the kind {kind[:40]!r}", "Send it as base64 or as an address.")
    source.end()
    return found


def _document(source: Members, title: str | None) -> Document | Text:
    kind = source.needed("type")
    found: Document | Text
    if kind == "base64":
        found = Document("", source.needed("media_type"), source.needed("data"), title)
    elif kind == "url":
        found = Document(source.needed("url"), name=title)
    elif kind == "text":
        source.ignore("media_type")
        said = source.needed("data")
        found = Text(f"{title}\n\n{said}" if title else said)
    else:
        raise not_carried(source.path, f"a document of the kind {kind[:40]!r}", "Send it as base64 or as text.")
    source.end()
    return found


def _result(block: Members) -> ToolResult:
    id_, failed = block.needed("tool_use_id"), block.flag("is_error") or False
    parts = _content(block) if block.has("content") else ()
    shown = tuple(part for part in parts if isinstance(part, Text | Image | Document))
    if len(shown) < len(parts):
        raise wrong(block.at("content"), "text, pictures and documents")
    return ToolResult(id_, shown, failed)
