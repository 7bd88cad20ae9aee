"""A request written as one for Anthropic's Messages."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from modelscan.wire.chat.members import parsed_arguments, wrong
from modelscan.wire.chat.parts import Document, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from modelscan.wire.chat.request import ChatRequest, Target, Tool, ToolChoice, Turn, Written
from modelscan.wire.chat.spoke import unique

__all__ = ["write_request"]

Json = dict[str, Any]
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")
_KINDS = {"auto": "auto", "any": "any", "none": "none", "tool": "tool"}
_EFFORTS = {"minimal": "low"}
_TIERS = {"auto": "auto", "default": "standard_only"}


def write_request(asked: ChatRequest, target: Target) -> Written:
    """The body, and what was dropped; raises InvalidInput for what cannot be carried."""
    dropped = [*asked.dropped, *(name for name in asked.extras if name != "service_tier")]
    system, turns = _apart(asked.turns, dropped)
    body: Json = {"model": target.model, "max_tokens": asked.limit or target.limit}
    body["messages"] = _messages(turns, dropped)
    choice = _tool_choice(asked) if asked.tools else None
    forced = choice is not None and choice["type"] in ("any", "tool")
    thinking = _thinking(asked.effort, forced=forced)
    said = {
        "system": system,
        **_sampling(asked, dropped, thinks=bool(thinking) and thinking != {"type": "disabled"}),
        "stop_sequences": list(asked.stop) or None,
        "tools": [_tool(tool) for tool in asked.tools] or None,
        "tool_choice": choice,
        "metadata": {"user_id": asked.user} if asked.user else None,
        "service_tier": _tier(asked, dropped),
        "thinking": thinking,
        "output_config": _output(asked, dropped) or None,
        "stream": asked.stream or None,
    }
    body |= {name: value for name, value in said.items() if value is not None}
    return Written(body, unique(dropped))


def _apart(turns: Sequence[Turn], dropped: list[str]) -> tuple[str | list[Json] | None, list[Turn]]:
    """The system prompt, and the turns; what the system says later in the chat moves to its beginning."""
    said = [part for turn in turns if turn.role == "system" for part in turn.parts]
    later = False
    for turn in turns:
        later = later or turn.role != "system"
        if later and turn.role == "system":
            dropped.append("messages.system.place")
    if any(not isinstance(part, Text) for part in said):
        raise wrong("messages", "text where the system speaks")
    blocks = [{"type": "text", "text": part.text} for part in said if isinstance(part, Text) and part.text]
    system = blocks[0]["text"] if len(blocks) == 1 else blocks or None
    return system, [turn for turn in turns if turn.role != "system"]


def _messages(turns: Iterable[Turn], dropped: list[str]) -> list[Json]:
    messages: list[Json] = []
    for turn in turns:
        blocks = [block for part in turn.parts if (block := _block(part, dropped))]
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += blocks  # Results of calls that were made at once stand in one message.
        elif blocks:
            messages.append({"role": turn.role, "content": blocks})
    return messages


def _block(part: Part, dropped: list[str]) -> Json | None:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text} if text else None
        case Image():
            if part.detail not in (None, "auto"):
                dropped.append("messages.content.image.detail")
            return {"type": "image", "source": _source(part)}
        case Document():
            return _document(part)
        case Thinking(text, signature, hidden):
            return _thought(text, signature, hidden, dropped)
        case ToolCall(id_, name, arguments):
            given = parsed_arguments(arguments)
            if given is None:
                raise wrong("messages.tool_calls.arguments", "a JSON object, as Messages has no other arguments")
            return {"type": "tool_use", "id": _id(id_), "name": name, "input": given}
        case ToolResult(id_, parts, failed):
            content = [block for one in parts if (block := _block(one, dropped))]
            result: Json = {"type": "tool_result", "tool_use_id": _id(id_), "content": content}
            return {**result, "is_error": True} if failed else result


def _thought(text: str, signature: str, hidden: str, dropped: list[str]) -> Json | None:
    if hidden:
        return {"type": "redacted_thinking", "data": hidden}
    if signature:
        return {"type": "thinking", "thinking": text, "signature": signature}
    dropped.append("messages.thinking")  # Unsigned thoughts are refused.
    return None


def _id(id_: str) -> str:
    """Some providers' ids hold what this protocol refuses, such as `functions.get:0`."""
    return _NO_ID.sub("_", id_)


def _source(part: Image | Document) -> Json:
    if part.url:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _document(part: Document) -> Json:
    title = {"title": part.name} if part.name else {}
    return {"type": "document", "source": _source(part), **title}


def _tool(tool: Tool) -> Json:
    # A schema without a type is an object's everywhere but here.
    schema = {"type": "object", **(tool.parameters or {"properties": {}})}
    said: Json = {"name": tool.name, "input_schema": schema}
    if tool.description is not None:
        said["description"] = tool.description
    return {**said, "strict": True} if tool.strict else said


def _tool_choice(asked: ChatRequest) -> Json | None:
    choice = asked.tool_choice
    if choice is None and asked.parallel is None:
        return None
    choice = choice or ToolChoice()
    said: Json = {"type": _KINDS[choice.kind]}
    if choice.kind == "tool":
        said["name"] = choice.name
    if asked.parallel is not None and choice.kind != "none":
        said["disable_parallel_tool_use"] = not asked.parallel
    return said


def _thinking(effort: str | None, *, forced: bool) -> Json | None:
    """A model that must call a tool cannot think aloud before; its effort it keeps."""
    if effort is None or forced:
        return None
    return {"type": "disabled" if effort == "none" else "adaptive"}


def _sampling(asked: ChatRequest, dropped: list[str], *, thinks: bool) -> Json:
    """Temperatures reach to 1 here; while it thinks, the model takes no temperature, and only a high top_p."""
    temperature, top_p = asked.temperature, asked.top_p
    if temperature is not None and (temperature > 1 or (thinks and temperature != 1)):
        dropped.append("temperature")
        temperature = None if thinks else 1.0
    if top_p is not None and thinks and top_p < 0.95:
        dropped.append("top_p")
        top_p = None
    return {"temperature": temperature, "top_p": top_p}


def _tier(asked: ChatRequest, dropped: list[str]) -> str | None:
    given = asked.extras.get("service_tier")
    found = _TIERS.get(given) if isinstance(given, str) else None
    if given is not None and found is None:
        dropped.append("service_tier")
    return found


def _output(asked: ChatRequest, dropped: list[str]) -> Json:
    said: Json = {}
    if asked.effort is not None and asked.effort != "none":
        said["effort"] = _EFFORTS.get(asked.effort, asked.effort)
    if asked.format is not None:
        if asked.format.schema is None:
            dropped.append("response_format")  # JSON of any shape cannot be asked for.
        else:
            said["format"] = {"type": "json_schema", "schema": asked.format.schema}
    return said
