"""OpenAI's own SDK: chat completions and responses."""

import json
from collections.abc import Mapping
from typing import Any

import openai
from telling import PROMPT, Way, tell

TOOL: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def ways(url: str, key: str) -> Mapping[str, Way]:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    user: Any = {"role": "user", "content": PROMPT}

    def plain(model: str, limit: int) -> dict[str, Any]:
        done = client.chat.completions.create(model=model, messages=[user], max_tokens=limit)
        assert done.usage
        usage = [done.usage.prompt_tokens, done.usage.completion_tokens]
        return {"text": done.choices[0].message.content, "usage": usage, "stop": done.choices[0].finish_reason}

    def streamed(model: str, limit: int) -> dict[str, Any]:
        chunks = list(
            client.chat.completions.create(
                model=model, messages=[user], max_tokens=limit, stream=True, stream_options={"include_usage": True}
            )
        )
        pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
        usage = chunks[-1].usage
        assert usage
        return {"pieces": [one for one in pieces if one], "usage": [usage.prompt_tokens, usage.completion_tokens]}

    def tools(model: str, limit: int) -> dict[str, Any]:
        offered: Any = [{"type": "function", "function": TOOL}]
        said = client.chat.completions.create(model=model, messages=[user], tools=offered, max_tokens=limit)
        message: Any = said.choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
        again: Any = [user, message.model_dump(exclude_none=True), *results]
        done = client.chat.completions.create(model=model, messages=again, tools=offered, max_tokens=limit)
        calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]
        return {"calls": calls, "text": done.choices[0].message.content}

    def response(model: str, limit: int) -> dict[str, Any]:
        done = client.responses.create(model=model, input=PROMPT, max_output_tokens=limit)
        assert done.usage
        return {"text": done.output_text, "usage": [done.usage.input_tokens, done.usage.output_tokens]}

    def streamed_response(model: str, limit: int) -> dict[str, Any]:
        with client.responses.stream(model=model, input=PROMPT, max_output_tokens=limit) as stream:
            events: Any = list(stream)
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        # One that meets its limit is incomplete, for which the SDK's get_final_response has no word.
        assert events[-1].type in ("response.completed", "response.incomplete")
        usage = events[-1].response.usage
        return {"pieces": pieces, "usage": [usage.input_tokens, usage.output_tokens]}

    def response_tools(model: str, limit: int) -> dict[str, Any]:
        offered: Any = [{"type": "function", **TOOL, "strict": False}]
        said = client.responses.create(model=model, input=PROMPT, tools=offered, max_output_tokens=limit)
        called: Any = [item for item in said.output if item.type == "function_call"]
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in called]
        again: Any = [{"role": "user", "content": PROMPT}, *(call.model_dump() for call in called), *results]
        done = client.responses.create(model=model, input=again, tools=offered, max_output_tokens=limit)
        return {"calls": [(call.name, json.loads(call.arguments)) for call in called], "text": done.output_text}

    return {
        "chat": Way(plain, streamed, tools),
        "responses": Way(response, streamed_response, response_tools),
    }


tell(ways)
