"""A request for OpenAI's Responses, read for a provider that speaks another protocol."""

from typing import Any

from modelscan.wire.chat.members import Members, not_carried, wrong
from modelscan.wire.chat.parts import Document, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from modelscan.wire.chat.request import ChatRequest, Format, Role, Tool, ToolChoice, Turn
from modelscan.wire.chat.sources import from_data_url
from modelscan.wire.chat.spoke import compact
from modelscan.wire.responses.answers import ECHOED

__all__ = ["read_request"]

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_NOT_CARRIED = {
    "previous_response_id": "Send the whole chat as `input`: answers are not kept here.",
    "conversation": "Send the whole chat as `input`.",
    "prompt": "Send the prompt as `instructions` and `input`.",
    "top_logprobs": "Leave it out.",
    "moderation": "Leave it out.",
}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def read_request(body: dict[str, Any]) -> ChatRequest:
    """The request in no protocol's words; raises InvalidInput."""
    asked = Members(body)
    _refuse_unspeakable(body)
    for name, instead in _NOT_CARRIED.items():
        if asked.has(name):
            raise not_carried(name, "it", instead)
    if asked.flag("background"):
        raise not_carried("background", "it", "Ask with `stream` for an answer that takes long.")
    tools = tuple(_tool(one) for one in asked.items("tools"))
    choice, tools = _tool_choice(asked, tools)
    effort, form, verbosity = _effort(asked), *_text(asked)
    instructions = asked.text("instructions")
    first = (Turn("system", (Text(instructions),)),) if instructions else ()
    asked.ignore("model", "stream_options")
    if asked.raw("truncation") not in (None, "disabled"):
        asked.drop("truncation")
    if set(asked.texts("include")) - {"reasoning.encrypted_content"}:
        asked.drop("include")
    return ChatRequest(
        turns=(*first, *_turns(asked)),
        tools=tools,
        tool_choice=choice,
        parallel=asked.flag("parallel_tool_calls"),
        limit=asked.count("max_output_tokens"),
        temperature=asked.number("temperature"),
        top_p=asked.number("top_p"),
        format=form,
        effort=effort,
        user=asked.text("user"),
        stream=asked.flag("stream") or False,
        extras=asked.rest() | ({"verbosity": verbosity} if verbosity else {}),
        dropped=tuple(asked.dropped),
    )


def _refuse_unspeakable(body: dict[str, Any]) -> None:
    """What the answer will repeat must be JSON."""
    try:
        compact({name: body.get(name) for name in ECHOED})
    except (ValueError, RecursionError) as error:
        raise wrong("body", "JSON without numbers beyond all numbers, and not nested too deeply") from error


def _effort(asked: Members) -> str | None:
    given = asked.object("reasoning")
    if given is None:
        return None
    effort = given.text("effort")
    given.ignore("summary", "generate_summary")  # What the model thought is told whenever its provider tells it.
    given.end()
    return effort


def _text(asked: Members) -> tuple[Format | None, str | None]:
    """(form of the answer, verbosity)"""
    given = asked.object("text")
    if given is None:
        return None, None
    form, verbosity = given.object("format"), given.text("verbosity")
    given.end()
    kind = form.needed("type") if form else "text"
    if form is None or kind == "text":
        return None, verbosity
    if kind == "json_object":
        return Format(), verbosity
    if kind != "json_schema":
        raise wrong(form.at("type"), "text, json_object or json_schema")
    found = Format(form.json("schema") or {}, form.needed("name"), form.text("description"), form.flag("strict"))
    form.end()
    return found, verbosity


def _tool(tool: Members) -> Tool:
    if (kind := tool.needed("type")) != "function":
        raise not_carried(tool.path, f"a tool of the type {kind[:40]!r}", "Use function tools.")
    found = Tool(tool.needed("name"), tool.text("description"), tool.json("parameters"), tool.flag("strict"))
    tool.end()
    return found


def _tool_choice(asked: Members, tools: tuple[Tool, ...]) -> tuple[ToolChoice | None, tuple[Tool, ...]]:
    """The choice, and the tools among which it leaves one."""
    value = asked.raw("tool_choice")
    if value is None:
        return None, tools
    if isinstance(value, str) and value in _CHOICES:
        return ToolChoice(_CHOICES[value]), tools  # type: ignore[arg-type]  # One of the kinds.
    choice = Members(value, "tool_choice", asked.dropped)
    kind = choice.needed("type")
    if kind == "function":
        return ToolChoice("tool", choice.needed("name")), tools
    if kind == "allowed_tools":
        names = {one.needed("name") for one in choice.items("tools")}
        mode = choice.needed("mode")
        return ToolChoice("any" if mode == "required" else "auto"), tuple(one for one in tools if one.name in names)
    raise not_carried("tool_choice", f"a choice of the type {kind[:40]!r}", "Use auto, none, required or a function.")


def _turns(asked: Members) -> tuple[Turn, ...]:
    """The items, with what the model said in one go as one turn."""
    value = asked.raw("input")
    if isinstance(value, str):
        return (Turn("user", (Text(value),)),)
    turns: list[Turn] = []
    for item in asked.objects("input", value):
        turn = _turn(item)
        item.end()
        if turns and (turns[-1].role, turn.role) in (("assistant", "assistant"), ("user", "user")):
            turns[-1] = Turn(turn.role, turns[-1].parts + turn.parts)
        else:
            turns.append(turn)
    if not turns:
        raise wrong("input", "a text or a list of items")
    return tuple(turns)


def _turn(item: Members) -> Turn:
    kind = item.text("type") or "message"
    item.ignore("id", "status", "phase")
    match kind:
        case "message":
            return _message(item)
        case "function_call":
            call = ToolCall(item.needed("call_id"), item.needed("name"), item.needed("arguments"))
            return Turn("assistant", (call,))
        case "function_call_output":
            return Turn("user", (_result(item),))
        case "reasoning":
            return Turn("assistant", (_thought(item),))
    raise not_carried(
        item.path, f"an item of the type {kind[:40]!r}", "Send messages, function calls and their outputs."
    )


def _message(item: Members) -> Turn:
    role = item.needed("role")
    if role not in _ROLES:
        raise wrong(item.at("role"), "system, developer, user or assistant")
    return Turn(_ROLES[role], _content(item, "content"))


def _content(item: Members, name: str) -> tuple[Part, ...]:
    value = item.raw(name)
    if isinstance(value, str):
        return (Text(value),)
    if value is None:
        raise wrong(item.at(name), "a text or a list of parts")
    return tuple(_part(part) for part in item.objects(name, value))


def _part(part: Members) -> Part:
    kind = part.needed("type")
    found: Part
    match kind:
        case "input_text" | "output_text" | "text":
            found = Text(part.needed("text"))
            part.ignore("annotations", "logprobs")
        case "refusal":
            found = Refusal(part.needed("refusal"))
        case "input_image":
            found = _image(part)
        case "input_file":
            found = _file(part)
        case _:
            raise not_carried(part.path, f"a part of the type {kind[:40]!r}", "Send text, pictures or files.")
    part.end()
    return found


def _image(part: Members) -> Image:
    if part.has("file_id"):
        raise not_carried(part.at("file_id"), "a file that another provider keeps", "Send it as `image_url`.")
    url, detail = part.needed("image_url"), _detail(part)
    inline = from_data_url(url)
    return Image("", *inline, detail) if inline else Image(url, detail=detail)


def _detail(image: Members) -> str | None:
    """None where the provider chooses."""
    detail = image.text("detail")
    return None if detail == "auto" else detail


def _file(part: Members) -> Document:
    if part.has("file_id"):
        raise not_carried(part.at("file_id"), "a file that another provider keeps", "Send it as `file_data`.")
    name, url = part.text("filename"), part.text("file_url")
    if url is not None:
        return Document(url, name=name)
    inline = from_data_url(part.needed("file_data"))
    if inline is None:
        raise wrong(part.at("file_data"), "a data URL in base64, such as data:application/pdf;base64,…")
    return Document("", *inline, name)


def _result(item: Members) -> ToolResult:
    id_, parts = item.needed("call_id"), _content(item, "output")
    shown = tuple(part for part in parts if isinstance(part, Text | Image | Document))
    if len(shown) < len(parts):
        raise wrong(item.at("output"), "text, pictures and files")
    return ToolResult(id_, shown)


def _thought(item: Members) -> Thinking:
    """The summary, or the thoughts themselves; the signature is what OpenAI calls encrypted content."""
    blocks = item.items("summary") or item.items("content")
    text = "\n\n".join(block.text("text") or "" for block in blocks)
    item.ignore("content")
    sealed = item.text("encrypted_content") or ""
    return Thinking(text, sealed) if text else Thinking("", hidden=sealed)
