"""pydantic-ai: OpenAI's chat and responses, and Anthropic's Messages."""

from collections.abc import Callable, Mapping
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from telling import PROMPT, Way, tell


def way(made: Callable[[str], Any]) -> Way:
    def plain(model: str, limit: int) -> dict[str, Any]:
        done = Agent(made(model)).run_sync(PROMPT, model_settings={"max_tokens": limit})
        usage = done.usage() if callable(done.usage) else done.usage
        return {"text": done.output, "usage": [usage.input_tokens, usage.output_tokens]}

    def streamed(model: str, limit: int) -> dict[str, Any]:
        stream = Agent(made(model)).run_stream_sync(PROMPT, model_settings={"max_tokens": limit})
        pieces = list(stream.stream_text(delta=True, debounce_by=None))
        usage = stream.usage() if callable(stream.usage) else stream.usage
        return {"pieces": [one for one in pieces if one], "usage": [usage.input_tokens, usage.output_tokens]}

    def tools(model: str, limit: int) -> dict[str, Any]:
        agent = Agent(made(model))

        @agent.tool_plain  # type: ignore[untyped-decorator]  # it is known in its own environment alone
        def weather(city: str) -> str:
            """The weather of a city."""
            return "sunny"

        done = agent.run_sync(PROMPT, model_settings={"max_tokens": limit})
        parts = [part for message in done.all_messages() for part in message.parts]
        calls = [(part.tool_name, part.args_as_dict()) for part in parts if isinstance(part, ToolCallPart)]
        return {"calls": calls, "text": done.output}

    return Way(plain, streamed, tools)


def ways(url: str, key: str) -> Mapping[str, Way]:
    def openai() -> OpenAIProvider:
        return OpenAIProvider(openai_client=AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0))

    def anthropic() -> AnthropicProvider:
        return AnthropicProvider(anthropic_client=AsyncAnthropic(base_url=url, api_key=key, max_retries=0))

    return {
        "chat": way(lambda model: OpenAIChatModel(model, provider=openai())),
        "responses": way(lambda model: OpenAIResponsesModel(model, provider=openai())),
        "messages": way(lambda model: AnthropicModel(model, provider=anthropic())),
    }


tell(ways)
