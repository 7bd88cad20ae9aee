"""A request for chat completions, read for a provider that speaks another protocol."""

from typing import Any

from modelscan.wire.chat.members import Members, not_carried, wrong
from modelscan.wire.chat.parts import Document, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from modelscan.wire.chat.request import ChatRequest, Format, Role, Tool, ToolChoice, Turn
from modelscan.wire.chat.sources import from_data_url

__all__ = ["read_request"]

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_NOT_CARRIED = {
    "functions": "Send them as `tools`.",
    "function_call": "Send it as `tool_choice`.",
    "web_search_options": "Ask a model of a provider that speaks chat completions.",
    "audio": "Ask for text.",
    "prediction": "Leave it out.",
    "moderation": "Leave it out.",
}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def read_request(body: dict[str, Any]) -> ChatRequest:
    """The request in no protocol's words; raises InvalidInput."""
    asked = Members(body)
    for name, instead in _NOT_CARRIED.items():
        if asked.has(name):
            raise not_carried(name, "it", instead)
    _refuse_several_answers(asked)
    tools = tuple(_tool(one) for one in asked.items("tools"))
    choice, tools = _tool_choice(asked, tools)
    stream = asked.flag("stream") or False
    options = asked.object("stream_options")
    limit, older = asked.count("max_completion_tokens"), asked.count("max_tokens")
    if limit is not None and older is not None:
        asked.drop("max_tokens")
    asked.ignore("model", "n", "logprobs", "modalities")
    return ChatRequest(
        turns=_turns(asked),
        tools=tools,
        tool_choice=choice,
        parallel=asked.flag("parallel_tool_calls"),
        limit=older if limit is None else limit,
        temperature=asked.number("temperature"),
        top_p=asked.number("top_p"),
        stop=asked.texts("stop"),
        format=_format(asked.object("response_format")),
        effort=asked.text("reasoning_effort"),
        user=asked.text("user"),
        stream=stream,
        usage_wanted=bool(options and options.flag("include_usage")),
        extras=asked.rest(),
        dropped=tuple(asked.dropped),
    )


def _refuse_several_answers(asked: Members) -> None:
    if asked.count("n") not in (None, 1):
        raise not_carried("n", "more than one answer", "Ask several times.")
    if asked.flag("logprobs") or asked.has("top_logprobs"):
        raise not_carried("logprobs", "log probabilities", "Leave them out.")
    if set(asked.texts("modalities")) - {"text"}:
        raise not_carried("modalities", "an answer that is not text", "Ask for text.")


def _turns(asked: Members) -> tuple[Turn, ...]:
    messages = asked.items("messages")
    if not messages:
        raise wrong("messages", "a list of messages")
    turns: list[Turn] = []
    for message in messages:
        turn = _turn(message)
        message.end()
        before = turns[-1] if turns else None
        if before and message.path and _is_results(before) and _is_results(turn):
            turns[-1] = Turn("user", before.parts + turn.parts)  # Results of calls that were made at once.
        else:
            turns.append(turn)
    return tuple(turns)


def _is_results(turn: Turn) -> bool:
    return all(isinstance(part, ToolResult) for part in turn.parts) and bool(turn.parts)


def _turn(message: Members) -> Turn:
    role = message.needed("role")
    if role == "tool":
        parts = _content(message)
        return Turn("user", (ToolResult(message.needed("tool_call_id"), _shown(message, parts)),))
    if role not in _ROLES:
        raise wrong(message.at("role"), "system, developer, user, assistant or tool")
    if role != "assistant":
        return Turn(_ROLES[role], _content(message))
    if message.has("audio") or message.has("function_call"):
        raise not_carried(message.path, "an answer in audio or a call of a function", "Use `tool_calls`.")
    thoughts = _thoughts(message)
    said = _content(message, needed=False)
    refusal = message.text("refusal")
    calls = tuple(_call(one) for one in message.items("tool_calls"))
    return Turn("assistant", (*thoughts, *said, *((Refusal(refusal),) if refusal else ()), *calls))


def _thoughts(message: Members) -> tuple[Part, ...]:
    """What the model thought, signed where this router told the caller the signature."""
    blocks = message.items("thinking_blocks")
    text = message.text("reasoning_content") or message.text("reasoning") or ""
    message.ignore("reasoning")
    if not blocks:
        return (Thinking(text),) if text else ()
    found = []
    for block in blocks:
        found.append(Thinking(block.text("thinking") or "", block.text("signature") or "", block.text("data") or ""))
        block.ignore("type", "index")
        block.end()
    return tuple(found)


def _shown(message: Members, parts: tuple[Part, ...]) -> tuple[Text | Image | Document, ...]:
    shown = tuple(part for part in parts if isinstance(part, Text | Image | Document))
    if len(shown) < len(parts):
        raise wrong(message.at("content"), "text, pictures and files")
    return shown


def _content(message: Members, *, needed: bool = True) -> tuple[Part, ...]:
    value = message.raw("content")
    if isinstance(value, str):
        return (Text(value),) if value or needed else ()
    if value is None and needed:
        raise wrong(message.at("content"), "a text or a list of parts")
    return tuple(_part(part) for part in message.objects("content", value))


def _part(part: Members) -> Part:
    kind = part.needed("type")
    found: Part
    if kind == "text":
        found = Text(part.needed("text"))
    elif kind == "refusal":
        found = Refusal(part.needed("refusal"))
    elif kind == "image_url":
        found = _image(part)
    elif kind == "file":
        found = _file(part.needed_object("file"))
    else:
        raise not_carried(part.path, f"a part of the type {kind[:40]!r}", "Send text, pictures or files.")
    part.end()
    return found


def _image(part: Members) -> Image:
    source = part.needed_object("image_url")
    url, detail = source.needed("url"), _detail(source)
    inline = from_data_url(url)
    source.end()
    return Image("", *inline, detail) if inline else Image(url, detail=detail)


def _detail(image: Members) -> str | None:
    """None where the provider chooses."""
    detail = image.text("detail")
    return None if detail == "auto" else detail


def _file(file: Members) -> Document:
    if file.has("file_id"):
        raise not_carried(file.at("file_id"), "a file that another provider keeps", "Send it as `file_data`.")
    inline = from_data_url(file.needed("file_data"))
    if inline is None:
        raise wrong(file.at("file_data"), "a data URL in base64, such as data:application/pdf;base64,…")
    name = file.text("filename")
    file.end()
    return Document("", *inline, name)


def _call(call: Members) -> ToolCall:
    if call.text("type") not in (None, "function"):
        raise not_carried(call.path, "a call of a tool that is no function", "Use function tools.")
    id_, function = call.needed("id"), call.needed_object("function")
    found = ToolCall(id_, function.needed("name"), function.text("arguments") or "")
    call.ignore("index")
    function.end()
    call.end()
    return found


def _tool(tool: Members) -> Tool:
    if (kind := tool.text("type")) not in (None, "function"):
        raise not_carried(tool.path, f"a tool of the type {str(kind)[:40]!r}", "Use function tools.")
    function = tool.needed_object("function")
    found = Tool(
        function.needed("name"), function.text("description"), function.json("parameters"), function.flag("strict")
    )
    function.end()
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
        return ToolChoice("tool", choice.needed_object("function").needed("name")), tools
    if kind == "allowed_tools":
        allowed = choice.needed_object("allowed_tools")
        names = {one.needed_object("function").needed("name") for one in allowed.items("tools")}
        mode = allowed.needed("mode")
        return ToolChoice("any" if mode == "required" else "auto"), tuple(one for one in tools if one.name in names)
    raise not_carried("tool_choice", f"a choice of the type {kind[:40]!r}", "Use auto, none, required or a function.")


def _format(given: Members | None) -> Format | None:
    if given is None or (kind := given.needed("type")) == "text":
        return None
    if kind == "json_object":
        return Format()
    if kind != "json_schema":
        raise wrong("response_format.type", "text, json_object or json_schema")
    schema = given.needed_object("json_schema")
    found = Format(
        schema.json("schema") or {}, schema.needed("name"), schema.text("description"), schema.flag("strict")
    )
    schema.end()
    return found
