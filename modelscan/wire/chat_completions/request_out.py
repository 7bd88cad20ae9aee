"""A request written as one for chat completions."""

from collections.abc import Iterable, Sequence
from typing import Any

from modelscan.wire.chat.members import not_carried
from modelscan.wire.chat.parts import Document, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from modelscan.wire.chat.request import ChatRequest, Format, Target, Tool, ToolChoice, Turn, Written
from modelscan.wire.chat.sources import data_url
from modelscan.wire.chat.spoke import unique

__all__ = ["write_request"]

Json = dict[str, Any]
_EXTRAS = frozenset(
    [
        "frequency_penalty",
        "logit_bias",
        "metadata",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "verbosity",
    ]
)
_CHOICES = {"auto": "auto", "none": "none", "any": "required"}


def write_request(asked: ChatRequest, target: Target) -> Written:
    """The body, and what was dropped; raises InvalidInput for what cannot be carried."""
    dropped = [*asked.dropped, *(name for name in asked.extras if name not in _EXTRAS)]
    body: Json = {"model": target.model, "messages": _messages(asked.turns, dropped)}
    limit = target.limit if asked.limit is None and target.limit_required else asked.limit
    said = {
        target.limit_field: limit,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "stop": list(asked.stop) or None,
        "reasoning_effort": asked.effort,
        "user": asked.user,
        "response_format": _format(asked.format),
        "tools": [_tool(tool) for tool in asked.tools] or None,
        "tool_choice": _choice(asked.tool_choice) if asked.tools else None,
        "parallel_tool_calls": asked.parallel if asked.tools else None,
        "stream": asked.stream or None,
        "stream_options": {"include_usage": True} if asked.stream and target.stream_usage else None,
    }
    said |= {name: value for name, value in asked.extras.items() if name in _EXTRAS}
    body |= {name: value for name, value in said.items() if value is not None}
    return Written(body, unique(dropped))


def _messages(turns: Sequence[Turn], dropped: list[str]) -> list[Json]:
    messages: list[Json] = []
    for turn in turns:
        if turn.role == "assistant":
            messages.append(_assistant(turn.parts, dropped))
        elif turn.role == "system":
            messages.append({"role": "system", "content": _joined(turn.parts, "\n\n")})
        else:
            messages += _user(turn.parts, dropped)
    if turns and turns[-1].role == "assistant":
        dropped.append("messages.prefill")  # Most providers begin an answer anew instead of going on with it.
    return messages


def _user(parts: Sequence[Part], dropped: list[str]) -> list[Json]:
    """The results of tools, each in a message of its own, and what else was said."""
    messages: list[Json] = []
    shown: list[Part] = []
    for part in parts:
        if not isinstance(part, ToolResult):
            shown.append(part)
            continue
        # A result is text alone; its pictures and files come right after all results, in the user's words.
        shown += [one for one in part.parts if not isinstance(one, Text)]
        messages.append({"role": "tool", "tool_call_id": part.id, "content": _joined(part.parts, "\n\n")})
        if part.failed:
            dropped.append("messages.content.is_error")
    if shown or not messages:
        one_text = shown[0].text if len(shown) == 1 and isinstance(shown[0], Text) else None
        content = [_content(part) for part in shown] if one_text is None else one_text
        messages.append({"role": "user", "content": content})
    return messages


def _assistant(parts: Sequence[Part], dropped: list[str]) -> Json:
    if any(isinstance(part, Thinking) for part in parts):
        dropped.append("messages.thinking")
    calls = [_call(part) for part in parts if isinstance(part, ToolCall)]
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
    message: Json = {"role": "assistant", "content": _joined(parts, "") or (None if calls or refusal else "")}
    if refusal:
        message["refusal"] = refusal
    if calls:
        message["tool_calls"] = calls
    return message


def _joined(parts: Iterable[Part], between: str) -> str:
    return between.join(part.text for part in parts if isinstance(part, Text))


def _content(part: Part) -> Json:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(url, media_type, data, detail):
            source = {"url": url or data_url(media_type, data)}
            return {"type": "image_url", "image_url": source | ({"detail": detail} if detail else {})}
        case Document(url="", media_type=media_type, data=data, name=name):
            return {"type": "file", "file": {"file_data": data_url(media_type, data), "filename": name or "document"}}
        case Document():
            raise not_carried("messages.content", "a document at an address", "Send its bytes, in base64.")
        case _:
            raise not_carried("messages.content", f"a {type(part).__name__} of the user's", "Send text.")


def _call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: Tool) -> Json:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    function: Json = {"name": tool.name, "parameters": parameters}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice | None) -> Any:
    if choice is None:
        return None
    return _CHOICES.get(choice.kind) or {"type": "function", "function": {"name": choice.name}}


def _format(form: Format | None) -> Json | None:
    if form is None:
        return None
    if form.schema is None:
        return {"type": "json_object"}
    schema: Json = {"name": form.name or "answer", "schema": form.schema, "strict": form.strict}
    if form.description is not None:
        schema["description"] = form.description
    return {"type": "json_schema", "json_schema": schema}
