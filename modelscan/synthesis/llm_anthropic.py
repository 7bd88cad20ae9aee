"""Anthropic's Messages: one forced tool call, whose input is the proposal."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, NonNegativeInt

from modelscan.synthesis.llm import FAULTS, TOOL, TOOL_SAYS, Access, Reply, http_for, of_fault, of_status
from modelscan.synthesis.prompt import Prompt
from modelscan.synthesis.proposal import schema

__all__ = ["AnthropicModel"]


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Usage(_Theirs):
    input_tokens: NonNegativeInt | None = None
    output_tokens: NonNegativeInt | None = None


class _Block(_Theirs):
    type: str
    name: str | None = None
    input: JsonValue = None


class _Message(_Theirs):
    content: tuple[_Block, ...]
    stop_reason: str | None = None
    usage: _Usage = _Usage()


@dataclass(frozen=True)
class AnthropicModel:
    """A model that is asked by Anthropic's SDK."""

    provider: str
    model: str
    access: Access

    async def ask(self, prompt: Prompt) -> Reply:
        """See LanguageModel."""
        import anthropic

        try:
            async with http_for(self.access) as http:
                client = anthropic.AsyncAnthropic(
                    api_key=self.access.key.get_secret_value(),
                    base_url=self.access.base_url,
                    http_client=http,
                    max_retries=0,
                    timeout=self.access.seconds,
                )
                answer = await client.messages.with_raw_response.create(**self._request(prompt))
                return _reply(_Message.model_validate_json(answer.http_response.content))
        except anthropic.APIStatusError as error:
            return of_status(error.status_code)
        except (anthropic.AnthropicError, *FAULTS) as error:
            return of_fault(error, self.access.seconds)

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": self.model,
            "max_tokens": self.access.max_tokens,
            "system": prompt.system,
            "messages": [{"role": "user", "content": prompt.user}],
            "tools": [{"name": TOOL, "description": TOOL_SAYS, "input_schema": schema()}],
            "tool_choice": {"type": "tool", "name": TOOL},
        }


def _reply(message: _Message) -> Reply:
    tokens = message.usage.input_tokens, message.usage.output_tokens
    if message.stop_reason == "refusal":
        return Reply("declined", None, "the model would not answer", *tokens)
    if message.stop_reason == "max_tokens":
        return Reply("truncated", None, "the answer ends at the limit of its tokens", *tokens)
    for block in message.content:
        if block.type == "tool_use" and block.name == TOOL:
            return Reply("answered", block.input, "", *tokens)
    return Reply("unreadable", None, "the answer has no call of the tool", *tokens)
