"""What a request is changed in on its way to a provider of the same protocol: what its quirks ask for, and usage."""

from collections.abc import Callable, Mapping

from modelscan.types import ClientSpec, Quirks
from router_app.asking import Asked
from router_app.exchange import Exchange

__all__ = ["ADAPTING", "ask_for_usage"]

_USUAL_FIELD = Quirks().max_tokens_field
_SOME_TOKENS = 4096
"""The limit that a provider gets who insists on one, for a model whose own is unknown."""


def _chat_completions(asked: Asked, spec: ClientSpec, model: str, exchange: Exchange) -> bool:
    if spec.quirks.max_tokens_required or spec.quirks.max_tokens_field != _USUAL_FIELD:
        _limit_as_it_likes(asked, spec, model, exchange)
    return asked.members.get("stream") is True and ask_for_usage(asked, spec)


def _limit_as_it_likes(asked: Asked, spec: ClientSpec, model: str, exchange: Exchange) -> None:
    """Name the limit of the answer as the provider's quirks say, and send one where it insists."""
    quirks, members = spec.quirks, asked.members
    if quirks.max_tokens_field == "max_completion_tokens" and "max_tokens" in members:
        if "max_completion_tokens" in members:
            asked.remove("max_tokens")
            exchange.drop("max_tokens")
        else:
            asked.rename("max_tokens", "max_completion_tokens")
    if quirks.max_tokens_required and not {"max_tokens", "max_completion_tokens"} & members.keys():
        known = next((one.output_tokens for one in spec.models if one.id == model), None)
        asked.put(quirks.max_tokens_field, known or _SOME_TOKENS)


def ask_for_usage(asked: Asked, spec: ClientSpec) -> bool:
    """Have the stream end with its usage; True where the caller did not ask for that, so that it is hidden again.

    A provider that refuses `stream_options` says so by the quirk `stream_usage`: false.
    """
    options = asked.members.get("stream_options")
    if not isinstance(options, dict | None) or (options or {}).get("include_usage") or not spec.quirks.stream_usage:
        return False
    asked.put("stream_options", {**(options or {}), "include_usage": True})
    return True


def _as_it_is(*_: object) -> bool:
    """Nothing is changed: in Messages a limit is part of each request, and usage of each answer."""
    return False


ADAPTING: Mapping[str, Callable[[Asked, ClientSpec, str, Exchange], bool]] = {
    "openai_chat": _chat_completions,
    "anthropic_messages": _as_it_is,
}
"""Protocol -> what changes the body in place and says whether its stream's usage is to be hidden from the caller."""
