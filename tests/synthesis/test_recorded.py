"""What specifications say is what was really recorded: hosts, paths, static headers, and no key in any address."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anthropic
import anyio
import openai
import pytest

from bench.catalogue import evidence_of, outcome_of
from modelscan.types import ClientSpec
from tests.corpus import corpus_json

pytestmark = pytest.mark.peer

OPERATIONS = {
    "chat": re.compile(r"(?<!/beta)/chat/completions$|/v1/messages$|/v2/chat$|:generateContent$|/api/chat$"),
    "stream": re.compile(r":streamGenerateContent$"),
    "embeddings": re.compile(r"/embeddings$|/v2/embed$"),
    "models": re.compile(r"/v1/models$"),
    "count_tokens": re.compile(r"/v1/messages/count_tokens$"),
}
"""Operation of a specification -> the path on which exchanges of it were recorded."""
WITHOUT = ("/openai/chat/completions",)
"""Paths on which a host speaks another protocol than its own, too."""
PROVIDERS = ("anthropic", "cerebras", "cohere", "deepseek", "google", "mistral", "openai")


@pytest.fixture(scope="module")
def listing() -> dict[str, Any]:
    found: dict[str, Any] = corpus_json("models_dev_api.json")
    return found


@pytest.fixture(scope="module")
def exchanges() -> list[dict[str, Any]]:
    """Every recorded exchange, with its request's headers."""
    return [{**row, **corpus_json(f"recorded/{row['file']}")} for row in corpus_json("recorded/INDEX.json")]


def specified(listing: dict[str, Any], provider: str) -> ClientSpec:
    """Its specification; skips where there is no template for its protocol."""
    outcome = outcome_of(anyio.run(evidence_of, listing, provider))
    if outcome.spec is None:
        pytest.skip(f"no specification: {outcome.error}")
    return outcome.spec


def recorded(exchanges: list[dict[str, Any]], spec: ClientSpec, operation: str) -> list[dict[str, Any]]:
    """What was recorded of one operation at the host of `spec`."""
    host = urlsplit(spec.base_url).netloc
    return [
        one
        for one in exchanges
        if urlsplit(one["url"]).netloc == host
        and OPERATIONS[operation].search(urlsplit(one["url"]).path)
        and not urlsplit(one["url"]).path.endswith(WITHOUT)
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_recorded_chat_was_at_the_address_of_the_specification(
    provider: str, listing: dict[str, Any], exchanges: list[dict[str, Any]]
) -> None:
    spec = specified(listing, provider)
    compared = 0
    for endpoint in spec.endpoints:
        for one in recorded(exchanges, spec, endpoint.operation):
            seen = urlsplit(one["url"])
            model = one["request"].get("model", "") if isinstance(one["request"], dict) else ""
            model = model or re.sub(r".*/models/([^:]+):.*", r"\1", seen.path)
            expected = urlsplit(spec.url(endpoint, model=model))
            assert (seen.scheme, seen.netloc, seen.path) == (expected.scheme, expected.netloc, expected.path)
            assert one["method"].upper() == endpoint.method
            # What the specification adds to every URL was there; a caller may have added more.
            assert spec.query.items() <= {name: values[0] for name, values in parse_qs(seen.query).items()}.items()
            compared += 1
    assert compared > 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_static_headers_are_those_that_were_recorded(
    provider: str, listing: dict[str, Any], exchanges: list[dict[str, Any]]
) -> None:
    spec = specified(listing, provider)
    kept = [one["request_headers"] for one in recorded(exchanges, spec, "chat")]
    for name, value in spec.headers.items():
        said = {headers[name.lower()] for headers in kept if name.lower() in headers}
        assert said == {value}


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("openai", openai.OpenAI(api_key="sk-1").auth_headers),
        ("anthropic", anthropic.Anthropic(api_key="sk-1").auth_headers),
    ],
)
def test_the_key_goes_where_the_providers_own_sdk_puts_it(
    provider: str, headers: dict[str, str], listing: dict[str, Any]
) -> None:
    """The recordings hold no key's header: whoever made them took those away."""
    auth = specified(listing, provider).auth
    assert {auth.header.lower(): f"{auth.scheme} sk-1".strip()} == {
        name.lower(): text for name, text in headers.items()
    }


def test_no_recorded_address_carries_a_key(exchanges: list[dict[str, Any]]) -> None:
    """So no specification may need one there."""
    names = {name for one in exchanges for name in parse_qs(urlsplit(one["url"]).query)}
    assert not {name for name in names if re.search("key|token|secret", name, re.IGNORECASE)}
