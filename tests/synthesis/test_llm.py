import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.synthesis.llm import Access, LanguageModel, Reply, json_in
from modelscan.synthesis.llm_anthropic import AnthropicModel
from modelscan.synthesis.llm_openai import OpenAIModel
from modelscan.synthesis.prompt import Prompt
from modelscan.synthesis.proposal import schema
from tests.synthesis.scripted_llm import scripted

KEY = "sk-the-models-own-key-0123456789"
PROMPT = Prompt(system="You find out.", user="Records.")
PROPOSAL: dict[str, Any] = {"notes": "said"}


def anthropic(url: str, **more: Any) -> LanguageModel:
    return AnthropicModel("anthropic", "claude", access(url, **more))


def openai(url: str, **more: Any) -> LanguageModel:
    return OpenAIModel("openai", "gpt", access(f"{url}/v1", **more))


def access(url: str, **more: Any) -> Access:
    fields: dict[str, Any] = {"base_url": url, "key": SecretStr(KEY), "max_tokens": 500, "seconds": 5, "own_host": True}
    return Access(**fields | more)


BOTH = pytest.mark.parametrize("make", [anthropic, openai])
Make = Callable[..., LanguageModel]


def asked(model: LanguageModel) -> Reply:
    return asyncio.run(model.ask(PROMPT))


@BOTH
def test_a_proposal_is_read_with_its_tokens(make: Make) -> None:
    with scripted(PROPOSAL) as server:
        assert asked(make(server.url)) == Reply("answered", PROPOSAL, "", 1000, 100)


@BOTH
def test_an_answer_that_does_not_say_its_tokens_leaves_them_unknown(make: Make) -> None:
    with scripted({"mute": PROPOSAL}) as server:
        assert asked(make(server.url)) == Reply("answered", PROPOSAL)


def test_anthropics_model_is_made_to_call_the_tool() -> None:
    with scripted(PROPOSAL) as server:
        asked(anthropic(server.url))
    (body,) = server.asked
    assert (body["model"], body["max_tokens"], body["system"]) == ("claude", 500, "You find out.")
    assert body["messages"] == [{"role": "user", "content": "Records."}]
    assert body["tool_choice"] == {"type": "tool", "name": "propose"}
    assert body["tools"][0]["input_schema"] == schema()
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_openais_model_is_held_to_the_schema() -> None:
    with scripted(PROPOSAL) as server:
        asked(OpenAIModel("openai", "gpt", access(f"{server.url}/v1"), tokens_field="max_completion_tokens"))
    (body,) = server.asked
    assert (body["model"], body["max_completion_tokens"]) == ("gpt", 500)
    assert body["response_format"]["json_schema"] == {"name": "propose", "schema": schema(), "strict": True}
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("forms", "requests"), [(("tool",), 2), (("text",), 3)])
def test_a_server_that_knows_no_schema_is_asked_for_a_tool_call_then_for_text(forms: Any, requests: int) -> None:
    with scripted(PROPOSAL, forms=forms) as server:
        assert asked(openai(server.url)).data == PROPOSAL
    assert len(server.asked) == requests
    assert ("nothing else" in server.prompts[-1]) == (forms == ("text",))


def test_a_server_that_understands_no_form_is_asked_in_each_once() -> None:
    with scripted(PROPOSAL, forms=()) as server:
        assert asked(openai(server.url)) == Reply("failed", detail="it answered 400")
    assert len(server.asked) == 3


@BOTH
@pytest.mark.parametrize(
    ("turn", "outcome"),
    [
        ("refusal", "declined"),
        ("truncated", "truncated"),
        ("garbage", "unreadable"),
        ("no_tool", "unreadable"),
        ("page", "unreadable"),
        ("odd", "unreadable"),
        ("huge", "too_large"),
        ("packed", "failed"),
        ("redirect", "failed"),
        (401, "unauthorized"),
        (403, "unauthorized"),
        (408, "timeout"),
        (429, "rate_limited"),
        (500, "failed"),
        (504, "timeout"),
        (529, "failed"),
    ],
)
def test_each_fault_is_an_outcome_that_quotes_no_key_and_is_not_tried_again(
    make: Make, turn: Any, outcome: str
) -> None:
    with scripted(turn) as server:
        reply = asked(make(server.url))
    assert (reply.outcome, reply.data) == (outcome, None)
    assert reply.detail
    assert KEY not in repr(reply)
    assert len(server.asked) == 1


@BOTH
def test_a_server_that_holds_is_given_up(make: Make) -> None:
    with scripted("hold") as server:
        assert asked(make(server.url, seconds=0.2)) == Reply("timeout", detail="no whole answer within 0.2 s")


@BOTH
def test_a_server_that_is_not_there_is_a_failure_without_words_of_its_own(make: Make, free_port: int) -> None:
    reply = asked(make(f"http://127.0.0.1:{free_port}"))
    assert reply.outcome == "failed"
    assert reply.detail.startswith("it cannot be reached (")


@BOTH
def test_a_private_address_is_refused_unless_the_operator_named_it(make: Make) -> None:
    with scripted(PROPOSAL) as server:
        reply = asked(make(server.url, own_host=False))
    assert reply == Reply("failed", detail="it cannot be reached (HostRefused)")
    assert server.asked == []


@BOTH
def test_no_model_shows_its_key(make: Make) -> None:
    assert KEY not in repr(make("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Sure:\n```json\n{"a": {"b": 2}}\n```', {"a": {"b": 2}}),
        ("[1]", None),
        ("", None),
        ("{", None),
        ("[" * 100_000, None),
        ('{"a": NaN}', None),
        ('{"a": "\\ud800"}', None),
    ],
)
def test_json_is_found_among_words(text: str, found: object) -> None:
    assert json_in(text) == found
