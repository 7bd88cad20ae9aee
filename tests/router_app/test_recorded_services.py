"""Recorded exchanges of custom REST services, and of OpenAI's other endpoints, replayed through a real router."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.corpus import corpus_json, corpus_names
from tests.router_app.standing import Standing, answering, cut_at, provider_of, standing
from tests.router_app.test_recorded import claudes, claudes_stream, openais, openais_stream, responses, responses_stream

pytestmark = pytest.mark.peer
FILES = {
    "cohere_v2": "recorded/api.cohere.com__v2-chat__",
    "gemini_generate_content": "recorded/generativelanguage.googleapis.com__v1beta-model-m-",
    "ollama_chat": "recorded/127.0.0.1_11434__api-chat__",
}
CHATS = [
    (dialect, name)
    for dialect, beginning in FILES.items()
    for name in corpus_names(f"{beginning}*.json")
    if "_tools_" not in name and not any(word in name for word in ("batchEmbed", "countTokens"))
]
PASSED = [
    name
    for endpoint in ("v1-completions", "v1-embeddings")
    for name in corpus_names(f"recorded/*__{endpoint}__*.json")
    if "cohere" not in name
]


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with standing(tmp_path_factory.mktemp("router"), (*FILES, "openai_chat"), retries=0) as found:
        yield found


def replay(stood: Standing, found: Any) -> bytes:
    """Have the upstream answer what was recorded."""
    text = found.get("response_text")
    body = (json.dumps(found["response"], indent=1) if text is None else text).encode()
    kind = found["response_headers"]["content-type"]
    stood.upstream.act = answering(body, status=found["status"], kind=kind, cuts=cut_at(body, 7))
    return body


def payloads(found: Any) -> list[Any]:
    """What was recorded, piece by piece."""
    if "response_text" not in found:
        return [found["response"]]
    lines = [line.removeprefix("data:").strip() for line in found["response_text"].splitlines()]
    return [json.loads(line) for line in lines if line.startswith("{")]


def said_by_cohere(one: Any) -> tuple[str, Any]:
    one = one if "message" in one else one.get("delta", {})
    content, usage = (one.get("message") or {}).get("content") or [], one.get("usage", {}).get("billed_units", {})
    parts = content if isinstance(content, list) else [content]
    return "".join(part.get("text", "") for part in parts), (usage.get("input_tokens"), usage.get("output_tokens"))


def said_by_gemini(one: Any) -> tuple[str, Any]:
    parts, usage = one["candidates"][0].get("content", {}).get("parts", []), one["usageMetadata"]
    written = [usage[name] for name in ("candidatesTokenCount", "thoughtsTokenCount") if name in usage]
    return "".join(part.get("text", "") for part in parts), (
        usage["promptTokenCount"],
        sum(written) if written else None,
    )


def said_by_ollama(one: Any) -> tuple[str, Any]:
    return one["message"]["content"], (one.get("prompt_eval_count"), one.get("eval_count"))


SAID = {"cohere_v2": said_by_cohere, "gemini_generate_content": said_by_gemini, "ollama_chat": said_by_ollama}


@pytest.mark.parametrize(("dialect", "name"), CHATS)
def test_chats_of_services_reach_every_sdk(stood: Standing, dialect: str, name: str) -> None:
    found = corpus_json(name)
    replay(stood, found)
    model = f"{provider_of(dialect)}/echo"
    if found["status"] != 200:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        answer = stood.tell(lambda: stood.router.http.post("/v1/chat/completions", json=body))
        assert answer.status_code == found["status"]
        assert answer.json()["error"]["message"] == found["response"]["error"]["message"]
        return
    pieces = [SAID[dialect](one) for one in payloads(found)]
    told = [[usage[place] for _, usage in pieces if usage[place] is not None] for place in (0, 1)]
    stream = "response_text" in found
    for ask in (openais_stream, claudes_stream, responses_stream) if stream else (openais, claudes, responses):
        reading = stood.tell(lambda ask=ask: ask(stood, model))  # type: ignore[misc]
        assert (reading.text, reading.usage) == ("".join(text for text, _ in pieces), (told[0][-1], told[1][-1]))
        assert stood.last_usage() == reading.usage


@pytest.mark.parametrize("name", PASSED)
def test_openais_other_endpoints_pass_byte_for_byte(stood: Standing, name: str) -> None:
    found = corpus_json(name)
    body, path = replay(stood, found), "/v1/" + found["url"].rpartition("/v1/")[2]
    asked = json.dumps({**found["request"], "model": "openai-chat/echo"}).encode()

    async def story() -> httpx2.Response:
        return await stood.router.http.post(path, content=asked, headers={"content-type": "application/json"})

    answer = stood.tell(story)
    assert (answer.status_code, answer.content) == (found["status"], body)
    # Of what streams the usage is asked for, too.
    first = b'{"stream_options": {"include_usage": true}, ' if found["request"].get("stream") else b"{"
    assert stood.upstream.asked[-1][1] == first + asked.replace(b"openai-chat/echo", b"echo")[1:]
    if found["status"] == 200 and "response" in found:
        assert stood.last_row()["prompt_tokens"] == found["response"]["usage"]["prompt_tokens"]
