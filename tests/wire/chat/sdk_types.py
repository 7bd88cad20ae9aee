"""The official SDKs' own types as judges: what we write must be what they say."""

from collections.abc import Iterable, Mapping
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import BaseModel, TypeAdapter

__all__ = ["PROTOCOLS", "check_answer", "check_event", "check_request"]

PROTOCOLS = ("openai_chat", "anthropic_messages", "openai_responses")

_PARAMS: dict[str, Any] = {
    "openai_chat": CompletionCreateParamsNonStreaming,
    "anthropic_messages": MessageCreateParamsNonStreaming,
    "openai_responses": ResponseCreateParamsNonStreaming,
}
# The SDK's types leave these to `extra_body`, though the API has them.
_BESIDE = {"anthropic_messages": {"temperature", "top_p"}}
_ANSWERS: dict[str, Any] = {
    "openai_chat": ChatCompletion,
    "anthropic_messages": Message,
    "openai_responses": Response,
}
_EVENTS: dict[str, Any] = {
    "openai_chat": ChatCompletionChunk,
    "anthropic_messages": RawMessageStreamEvent,
    "openai_responses": ResponseStreamEvent,
}
_ADAPTERS = {name: TypeAdapter(params) for name, params in _PARAMS.items()}
_EVENT_ADAPTERS = {name: TypeAdapter(event) for name, event in _EVENTS.items()}


def check_request(protocol: str, body: Mapping[str, Any]) -> None:
    """Raises where the SDK's types would not take the body, or do not know one of its members."""
    plain = {name: value for name, value in body.items() if name != "stream"}
    known = {name for cls in _PARAMS[protocol].__orig_bases__ for name in cls.__annotations__}
    assert plain.keys() <= known | _BESIDE.get(protocol, set())
    _consume(_ADAPTERS[protocol].validate_python(plain))


def check_answer(protocol: str, body: Mapping[str, Any]) -> Any:
    """The answer as the SDK's own model."""
    return _ANSWERS[protocol].model_validate(body)


def check_event(protocol: str, event: Mapping[str, Any]) -> Any:
    """One event of a stream as the SDK's own model."""
    return _EVENT_ADAPTERS[protocol].validate_python(event)


def _consume(value: Any) -> None:
    """Pydantic checks iterables only while they are read."""
    if isinstance(value, str | bytes | BaseModel):
        return
    if isinstance(value, Mapping):
        for one in value.values():
            _consume(one)
    elif isinstance(value, Iterable):
        for one in value:
            _consume(one)
