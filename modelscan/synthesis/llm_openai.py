"""OpenAI's chat completions, there or at any compatible server: a JSON schema, else a tool call, else JSON as text."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from modelscan.synthesis.llm import FAULTS, TOOL, TOOL_SAYS, Access, Reply, http_for, json_in, of_fault, of_status
from modelscan.synthesis.prompt import Prompt
from modelscan.synthesis.proposal import schema

__all__ = ["OpenAIModel"]

_NOT_UNDERSTOOD = (400, 404, 415, 422, 501)
"""How servers say that they do not know a form; what is really wrong is wrong in each form."""


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Usage(_Theirs):
    prompt_tokens: NonNegativeInt | None = None
    completion_tokens: NonNegativeInt | None = None


class _Function(_Theirs):
    arguments: str = ""


class _ToolCall(_Theirs):
    function: _Function = _Function()


class _Message(_Theirs):
    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[_ToolCall, ...] | None = None


class _Choice(_Theirs):
    message: _Message
    finish_reason: str | None = None


class _Completion(_Theirs):
    choices: tuple[_Choice, ...] = Field(min_length=1)
    usage: _Usage | None = None


@dataclass(frozen=True)
class OpenAIModel:
    """A model that is asked by OpenAI's SDK. `tokens_field`: what the limit of the answer is called there."""

    provider: str
    model: str
    access: Access
    tokens_field: str = "max_tokens"

    async def ask(self, prompt: Prompt) -> Reply:
        """See LanguageModel. A server that does not understand one form is asked in the next, within the same time."""
        import openai

        reply = Reply("failed")
        try:
            async with http_for(self.access) as http:
                client = openai.AsyncOpenAI(
                    api_key=self.access.key.get_secret_value(),
                    base_url=self.access.base_url,
                    http_client=http,
                    max_retries=0,
                    timeout=self.access.seconds,
                )
                for form in _forms():
                    try:
                        answer = await client.chat.completions.with_raw_response.create(**self._request(prompt, form))
                        return _reply(_Completion.model_validate_json(answer.http_response.content))
                    except openai.APIStatusError as error:
                        reply = of_status(error.status_code)
                        if error.status_code not in _NOT_UNDERSTOOD:
                            break
        except (openai.OpenAIError, *FAULTS) as error:
            return of_fault(error, self.access.seconds)
        return reply

    def _request(self, prompt: Prompt, form: dict[str, Any]) -> dict[str, Any]:
        system = prompt.system if form else f"{prompt.system}\n{_IN_WORDS}\n{json.dumps(schema())}"
        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt.user}]
        return {"model": self.model, "messages": messages, self.tokens_field: self.access.max_tokens, **form}


_IN_WORDS = "Answer with one JSON object of this schema and with nothing else:"


def _forms() -> tuple[dict[str, Any], ...]:
    strict = {"name": TOOL, "schema": schema(), "strict": True}
    function = {"name": TOOL, "description": TOOL_SAYS, "parameters": schema()}
    return (
        {"response_format": {"type": "json_schema", "json_schema": strict}},
        {
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": TOOL}},
        },
        {},
    )


def _reply(completion: _Completion) -> Reply:
    usage, choice = completion.usage or _Usage(), completion.choices[0]
    tokens = usage.prompt_tokens, usage.completion_tokens
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return Reply("declined", None, "the model would not answer", *tokens)
    if choice.finish_reason == "length":
        return Reply("truncated", None, "the answer ends at the limit of its tokens", *tokens)
    called = next((call.function.arguments for call in choice.message.tool_calls or ()), "")
    data = json_in(called or choice.message.content or "")
    if data is None:
        return Reply("unreadable", None, "the answer holds no JSON object", *tokens)
    return Reply("answered", data, "", *tokens)
