"""LiteLLM as a client, as OpenAI's and as Anthropic's."""

import json
from collections.abc import Mapping
from typing import Any

import litellm
from telling import PROMPT, Way, tell

litellm.suppress_debug_info = True
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def way(prefix: str, base: str, key: str) -> Way:
    user: Any = {"role": "user", "content": PROMPT}

    def ask(model: str, limit: int, messages: Any = None, **more: Any) -> Any:
        return litellm.completion(
            model=f"{prefix}/{model}",
            messages=messages or [user],
            api_base=base,
            api_key=key,
            max_tokens=limit,
            num_retries=0,
            max_retries=0,
            **more,
        )

    def plain(model: str, limit: int) -> dict[str, Any]:
        done = ask(model, limit)
        return {
            "text": done.choices[0].message.content,
            "usage": [done.usage.prompt_tokens, done.usage.completion_tokens],
        }

    def streamed(model: str, limit: int) -> dict[str, Any]:
        chunks = list(ask(model, limit, stream=True, stream_options={"include_usage": True}))
        pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
        return {"pieces": [one for one in pieces if one]}

    def tools(model: str, limit: int) -> dict[str, Any]:
        message = ask(model, limit, tools=[TOOL]).choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
        done = ask(model, limit, [user, message.model_dump(exclude_none=True), *results], tools=[TOOL])
        calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]
        return {"calls": calls, "text": done.choices[0].message.content}

    return Way(plain, streamed, tools)


def ways(url: str, key: str) -> Mapping[str, Way]:
    return {"chat": way("openai", f"{url}/v1", key), "messages": way("anthropic", url, key)}


tell(ways)
