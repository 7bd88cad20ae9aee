from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from modelscan.keys.describing import describe
from modelscan.keys.store import UsableKey
from modelscan.settings import DiscoverySettings
from modelscan.synthesis.choice import language_models
from modelscan.synthesis.llm import LanguageModel
from modelscan.synthesis.llm_openai import OpenAIModel

BOTH = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o"}


def stored(provider: str, *secrets: str, **more: Any) -> UsableKey:
    secret = SecretStr(secrets[0])
    return UsableKey(key=describe(secret, provider, "api").model_copy(update=more), secret=secret)


def chosen(
    environ: Mapping[str, str], keys: Mapping[str, tuple[UsableKey, ...]] | None = None, **settings: Any
) -> list[LanguageModel]:
    return list(language_models(DiscoverySettings.model_validate(settings), keys or {}, environ))


def told(models: list[LanguageModel]) -> list[tuple[str, str, str, str]]:
    return [(one.provider, one.model, one.access.base_url, one.access.key.get_secret_value()) for one in models]


def test_without_a_key_there_is_none() -> None:
    assert chosen({}) == []


def test_anthropic_is_first_and_openai_stands_in() -> None:
    assert told(chosen(BOTH)) == [
        ("anthropic", "claude-sonnet-4-5", "https://api.anthropic.com", "a"),
        ("openai", "gpt-5-mini", "https://api.openai.com/v1", "o"),
    ]
    assert not any(one.access.own_host for one in chosen(BOTH))


def test_the_settings_name_the_models_and_an_empty_name_leaves_one_out() -> None:
    (only,) = chosen(BOTH, agent_model="", agent_fallback_model="gpt-9", agent_max_tokens=99, agent_timeout_seconds=7)
    assert (only.model, only.access.max_tokens, only.access.seconds) == ("gpt-9", 99, 7)
    assert isinstance(only, OpenAIModel)
    assert only.tokens_field == "max_completion_tokens"


def test_a_stored_key_comes_before_the_variables_and_the_least_used_first() -> None:
    keys = {"anthropic": (stored("anthropic", "used", requests=9), stored("anthropic", "fresh"))}
    assert told(chosen(BOTH, keys))[0][3] == "fresh"


def test_a_key_that_was_given_for_another_server_is_not_sent() -> None:
    keys = {"anthropic": (stored("anthropic", "theirs", host="box.example:443"),)}
    assert chosen({}, keys) == []
    assert told(chosen({"ANTHROPIC_BASE_URL": "https://box.example"}, keys)) == [
        ("anthropic", "claude-sonnet-4-5", "https://box.example", "theirs")
    ]


def test_the_environment_says_where_a_service_is_as_its_sdk_has_it() -> None:
    (only,) = chosen({"OPENAI_API_KEY": "o", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert (only.access.base_url, only.access.own_host) == ("http://127.0.0.1:9/v1", True)


def test_the_operators_own_server_is_first_and_may_need_no_key() -> None:
    models = chosen(BOTH, agent_base_url="http://127.0.0.1:9/v1", agent_base_model="smol")
    assert told(models)[0] == ("127.0.0.1:9", "smol", "http://127.0.0.1:9/v1", "none")
    assert models[0].access.own_host
    assert [one.provider for one in models[1:]] == ["anthropic", "openai"]


def test_its_key_is_its_own() -> None:
    (only,) = chosen({}, agent_base_url="https://box.example/v1", agent_api_key="mine")
    assert told([only]) == [("box.example:443", "claude-sonnet-4-5", "https://box.example/v1", "mine")]
    assert "mine" not in repr(only)
