"""A request written as one for OpenAI's Responses."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from modelscan.wire.chat.members import not_carried
from modelscan.wire.chat.parts import Document, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from modelscan.wire.chat.request import ChatRequest, Format, Role, Target, Tool, ToolChoice, Turn, Written
from modelscan.wire.chat.sources import data_url
from modelscan.wire.chat.spoke import unique

__all__ = ["write_request"]

Json = dict[str, Any]
_EXTRAS = frozenset(["metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier"])
_CHOICES = {"auto": "auto", "none": "none", "any": "required"}


def write_request(asked: ChatRequest, target: Target) -> Written:
    """The body, and what was dropped. Nothing is kept at the provider: the caller sends the whole chat each time."""
    dropped = [*asked.dropped, *(name for name in asked.extras if name not in _EXTRAS | {"verbosity", "store"})]
    if asked.extras.get("store"):
        dropped.append("store")
    if asked.stop:
        dropped.append("stop")
    body: Json = {"model": target.model, "input": _input(asked.turns, dropped), "store": False}
    said = {
        "max_output_tokens": asked.limit,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "text": _text(asked) or None,
        "tools": [_tool(tool) for tool in asked.tools] or None,
        "tool_choice": _choice(asked.tool_choice) if asked.tools else None,
        "parallel_tool_calls": asked.parallel if asked.tools else None,
        "user": asked.user,
        "stream": asked.stream or None,
    }
    if asked.effort is not None:
        said["reasoning"] = {"effort": asked.effort, "summary": "auto"}
        said["include"] = ["reasoning.encrypted_content"]
    said |= {name: value for name, value in asked.extras.items() if name in _EXTRAS}
    body |= {name: value for name, value in said.items() if value is not None}
    return Written(body, unique(dropped))


def _input(turns: Sequence[Turn], dropped: list[str]) -> list[Json]:
    items: list[Json] = []
    for turn in turns:
        said: list[Part] = []
        for part in turn.parts:
            if not isinstance(part, ToolCall | ToolResult | Thinking):
                said.append(part)
                continue
            if said:
                items.append(_message(turn.role, said))
                said = []
            items += _item(part, dropped)
        if said:
            items.append(_message(turn.role, said))
    if turns and turns[-1].role == "assistant":
        dropped.append("messages.prefill")  # An answer is begun anew.
    return items


def _message(role: Role, said: Sequence[Part]) -> Json:
    if role == "user":
        return {"type": "message", "role": role, "content": [_content(part) for part in said]}
    if role == "system" or all(isinstance(part, Text) for part in said):
        between = "\n\n" if role == "system" else ""
        return {"type": "message", "role": role, "content": between.join(_text_of(part) for part in said)}
    # Only whole messages of the model's, which have an id, may hold a refusal.
    content: list[Json] = [
        {"type": "refusal", "refusal": part.text}
        if isinstance(part, Refusal)
        else {"type": "output_text", "text": _text_of(part), "annotations": []}
        for part in said
    ]
    id_ = _id("msg", str(content))
    return {"type": "message", "role": role, "id": id_, "status": "completed", "content": content}


def _text_of(part: Part) -> str:
    if not isinstance(part, Text):
        raise not_carried("messages.content", f"a {type(part).__name__} that is not the user's", "Send text.")
    return part.text


def _id(kind: str, content: str) -> str:
    """Always the same for the same content, so that the provider's cache knows it again."""
    return f"{kind}_{sha256(content.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _item(part: ToolCall | ToolResult | Thinking, dropped: list[str]) -> list[Json]:
    """What stands beside the messages."""
    match part:
        case ToolCall(id_, name, arguments):
            return [{"type": "function_call", "call_id": id_, "name": name, "arguments": arguments or "{}"}]
        case ToolResult(id_, parts, failed):
            if failed:
                dropped.append("messages.content.is_error")
            only = parts[0].text if len(parts) == 1 and isinstance(parts[0], Text) else None
            output = [_content(one) for one in parts] if only is None else only
            return [{"type": "function_call_output", "call_id": id_, "output": output}]
        case Thinking(text, signature, hidden):
            return _thought(text, signature or hidden, dropped)


def _thought(text: str, sealed: str, dropped: list[str]) -> list[Json]:
    if not sealed:
        dropped.append("messages.thinking")
        return []
    summary = [{"type": "summary_text", "text": text}] if text else []
    return [{"type": "reasoning", "id": _id("rs", sealed), "summary": summary, "encrypted_content": sealed}]


def _content(part: Part) -> Json:
    match part:
        case Text(text):
            return {"type": "input_text", "text": text}
        case Image(url, media_type, data, detail):
            return {"type": "input_image", "image_url": url or data_url(media_type, data), "detail": detail or "auto"}
        case Document(url, media_type, data, name):
            inline = {"filename": name or "document", "file_data": data_url(media_type, data)}
            return {"type": "input_file", **({"file_url": url} if url else inline)}
        case _:
            raise not_carried("messages.content", f"a {type(part).__name__} of the user's", "Send text.")


def _tool(tool: Tool) -> Json:
    # Here a tool is strict unless it says otherwise, and everywhere else the other way round.
    said: Json = {"type": "function", "name": tool.name, "strict": tool.strict or False}
    said["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return said if tool.description is None else {**said, "description": tool.description}


def _choice(choice: ToolChoice | None) -> Any:
    if choice is None:
        return None
    return _CHOICES.get(choice.kind) or {"type": "function", "name": choice.name}


def _text(asked: ChatRequest) -> Json:
    verbosity = asked.extras.get("verbosity")
    said: Json = {"verbosity": verbosity} if verbosity is not None else {}
    return said | ({"format": _format(asked.format)} if asked.format else {})


def _format(form: Format) -> Json:
    if form.schema is None:
        return {"type": "json_object"}
    said: Json = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema}
    said |= {"strict": form.strict} if form.strict is not None else {}
    return said | ({"description": form.description} if form.description is not None else {})
