"""Which language models a discovery may ask, in which order, and with which key."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from modelscan.keys.store import UsableKey, sendable
from modelscan.settings import DiscoverySettings
from modelscan.sources.http import host_port
from modelscan.synthesis.llm import Access, LanguageModel
from modelscan.synthesis.llm_anthropic import AnthropicModel
from modelscan.synthesis.llm_openai import OpenAIModel

__all__ = ["language_models"]

_NO_KEY = SecretStr("none")
"""The SDK insists on a key; a server that wants none reads none."""


@dataclass(frozen=True)
class _Service:
    """A provider of language models that is asked where it has a key. `variables` begins its environment variables."""

    provider: str
    base_url: str
    variables: str
    setting: str
    make: Callable[[str, str, Access], LanguageModel]


def _openai(provider: str, model: str, access: Access) -> LanguageModel:
    return OpenAIModel(provider, model, access, tokens_field="max_completion_tokens")


_SERVICES = (
    _Service("anthropic", "https://api.anthropic.com", "ANTHROPIC", "agent_model", AnthropicModel),
    _Service("openai", "https://api.openai.com/v1", "OPENAI", "agent_fallback_model", _openai),
)
"""The first is asked first, the next where the one before fails."""


def language_models(
    settings: DiscoverySettings, keys: Mapping[str, Sequence[UsableKey]], environ: Mapping[str, str]
) -> tuple[LanguageModel, ...]:
    """The operator's own server, where there is one, then each service with a key: a stored one, else the variable's.

    `<NAME>_BASE_URL` in the environment says where a service is, as its SDK has it.
    """
    return (*_own(settings), *_services(settings, keys, environ))


def _own(settings: DiscoverySettings) -> Iterator[LanguageModel]:
    if base_url := settings.agent_base_url:
        given = settings.agent_api_key
        access = _access(settings, base_url, given if given.get_secret_value() else _NO_KEY, own_host=True)
        yield OpenAIModel(host_port(base_url), settings.agent_base_model or settings.agent_model, access)


def _services(
    settings: DiscoverySettings, keys: Mapping[str, Sequence[UsableKey]], environ: Mapping[str, str]
) -> Iterator[LanguageModel]:
    for service in _SERVICES:
        named = environ.get(f"{service.variables}_BASE_URL")
        base_url = named or service.base_url
        stored = sendable(keys.get(service.provider, ()), host_port(base_url))
        secret = min(stored, key=lambda one: one.key.score).secret if stored else None
        if secret is None and (given := environ.get(f"{service.variables}_API_KEY")):
            secret = SecretStr(given)
        model = getattr(settings, service.setting)
        if secret and model:
            yield service.make(service.provider, model, _access(settings, base_url, secret, own_host=bool(named)))


def _access(settings: DiscoverySettings, base_url: str, key: SecretStr, *, own_host: bool) -> Access:
    return Access(
        base_url=base_url,
        key=key,
        max_tokens=settings.agent_max_tokens,
        seconds=settings.agent_timeout_seconds,
        own_host=own_host,
    )
