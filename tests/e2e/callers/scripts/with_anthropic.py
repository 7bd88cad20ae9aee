"""Anthropic's own SDK, with either of its two ways to send the key."""

from collections.abc import Mapping
from typing import Any

import anthropic
from telling import PROMPT, Way, tell

TOOL: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def way(client: anthropic.Anthropic) -> Way:
    user: Any = {"role": "user", "content": PROMPT}

    def plain(model: str, limit: int) -> dict[str, Any]:
        done = client.messages.create(model=model, max_tokens=limit, messages=[user])
        usage = [done.usage.input_tokens, done.usage.output_tokens]
        return {"text": _text(done.content), "usage": usage, "stop": done.stop_reason}

    def streamed(model: str, limit: int) -> dict[str, Any]:
        with client.messages.stream(model=model, max_tokens=limit, messages=[user]) as stream:
            pieces = list(stream.text_stream)
            usage = stream.get_final_message().usage
        return {"pieces": pieces, "usage": [usage.input_tokens, usage.output_tokens]}

    def tools(model: str, limit: int) -> dict[str, Any]:
        said: Any = client.messages.create(model=model, max_tokens=limit, messages=[user], tools=[TOOL])
        called = [block for block in said.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": block.id, "content": "sunny"} for block in called]
        content = [block.model_dump(exclude_none=True) for block in said.content]
        again: Any = [user, {"role": "assistant", "content": content}, {"role": "user", "content": results}]
        done = client.messages.create(model=model, max_tokens=limit, messages=again, tools=[TOOL])
        return {"calls": [(block.name, block.input) for block in called], "text": _text(done.content)}

    return Way(plain, streamed, tools)


def ways(url: str, key: str) -> Mapping[str, Way]:
    return {
        "messages": way(anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)),
        "messages by token": way(anthropic.Anthropic(base_url=url, auth_token=key, max_retries=0)),
    }


def _text(content: Any) -> str:
    return "".join(block.text for block in content if block.type == "text")


tell(ways)
