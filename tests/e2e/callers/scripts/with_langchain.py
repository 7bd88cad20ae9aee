"""langchain-openai: chat completions, and responses."""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from telling import PROMPT, Way, tell


@tool  # type: ignore[untyped-decorator]  # it is known in its own environment alone
def weather(city: str) -> str:
    """The weather of a city."""
    return "sunny"


def way(url: str, key: str, responses: bool) -> Way:
    def made(model: str, limit: int) -> ChatOpenAI:
        return ChatOpenAI(
            model=model,
            base_url=f"{url}/v1",
            api_key=key,
            max_tokens=limit,
            max_retries=0,
            use_responses_api=responses,
            stream_usage=True,
        )

    def plain(model: str, limit: int) -> dict[str, Any]:
        done = made(model, limit).invoke(PROMPT)
        usage = done.usage_metadata
        return {"text": done.text, "usage": [usage["input_tokens"], usage["output_tokens"]]}

    def streamed(model: str, limit: int) -> dict[str, Any]:
        chunks = list(made(model, limit).stream(PROMPT))
        whole = sum(chunks[1:], chunks[0])
        usage = whole.usage_metadata
        return {
            "pieces": [chunk.text for chunk in chunks if chunk.text],
            "usage": [usage["input_tokens"], usage["output_tokens"]],
        }

    def tools(model: str, limit: int) -> dict[str, Any]:
        bound = made(model, limit).bind_tools([weather])
        said = bound.invoke([HumanMessage(PROMPT)])
        results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in said.tool_calls]
        done = bound.invoke([HumanMessage(PROMPT), said, *results])
        return {"calls": [(call["name"], call["args"]) for call in said.tool_calls], "text": done.text}

    return Way(plain, streamed, tools)


def ways(url: str, key: str) -> Mapping[str, Way]:
    return {"chat": way(url, key, False), "responses": way(url, key, True)}


tell(ways)
