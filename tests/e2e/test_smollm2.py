"""A real model behind the router: llama.cpp's server with SmolLM2, from the registry's packages."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.service import Service
from tests.e2e.smollm2 import KEY, served

pytestmark = [pytest.mark.prefect, pytest.mark.peer]


@pytest.fixture(scope="module")
def smollm2() -> Iterator[str]:
    """The real server's base URL."""
    with served() as base_url:
        yield base_url


@pytest.fixture(scope="module")
def added(service: Service, smollm2: str) -> object:
    """`modelscan add local/smollm2 --base-url … --api-key …`"""
    return service.add("local/smollm2", "--base-url", smollm2, "--api-key", KEY)


def test_the_real_model_is_live(added: dict[str, object]) -> None:
    assert (added["state"], added["level"], added["why_not_higher"]) == ("succeeded", "live", "")


def test_the_real_model_chats_and_streams_through_the_router(service: Service, added: object) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0, timeout=60) as client:
        plain = client.chat.completions.create(
            model="local/smollm2", messages=[{"role": "user", "content": "Say hello."}], max_tokens=16
        )
        assert plain.choices[0].message.content
        assert plain.usage is not None
        assert plain.usage.completion_tokens > 0
        with client.chat.completions.create(
            model="local:smollm2", messages=[{"role": "user", "content": "Say hello."}], max_tokens=16, stream=True
        ) as stream:
            chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert all(chunk.usage is None for chunk in chunks), "the caller did not ask for a usage chunk"


def test_the_real_model_is_live_by_its_messages_too_and_answers_there(service: Service, smollm2: str) -> None:
    added = service.add("claude/smollm2", "--base-url", f"{smollm2}/messages", "--api-key", KEY)
    assert (added["state"], added["level"], added["why_not_higher"]) == ("succeeded", "live", "")
    assert "(anthropic.Anthropic)" in (service.home / "generated" / "claude.py").read_text()
    hello: Any = [{"role": "user", "content": "Say hello."}]
    with anthropic.Anthropic(base_url=service.url, api_key="any", max_retries=0, timeout=60) as client:
        plain = client.messages.create(model="claude/smollm2", messages=hello, max_tokens=16)
        assert plain.usage.output_tokens > 0
        # Event by event: llama.cpp leaves out `message_start` where its first token is half a character.
        with client.messages.create(model="claude/smollm2", messages=hello, max_tokens=16, stream=True) as stream:
            kinds = [event.type for event in stream]
    assert "content_block_delta" in kinds
    assert kinds[-1] == "message_stop"


def test_a_wrong_key_is_told_as_such_and_proves_nothing_live(service: Service, smollm2: str) -> None:
    wrong = service.add("wrong/smollm2", "--base-url", smollm2, "--api-key", "sk-not-the-key-0123456789")
    assert wrong["level"] == "probe"
    assert "key was refused" in wrong["why_not_higher"]
    assert service.chat("wrong/smollm2").status_code == 401
