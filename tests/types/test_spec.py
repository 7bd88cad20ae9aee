"""The specification: what may stand in it, what it states, and which digest that has."""

from typing import Any

import pytest

from modelscan.types import Auth, ClientSpec, Endpoint, Model, Quirks
from tests.validation.specs import ENDPOINTS, a_spec


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "x-api-key", "Api-Key", "X-Goog-Api-Key", "x-auth", "Cookie", "X-Session-Id", "x-secret"),
        *("X-Amz-Security-Token", "Proxy-Connection", "Host", "Content-Length", "Transfer-Encoding", "X-Forwarded-For"),
        *("Connection", "Via", "sec-fetch-mode", "a b", "a:b", "", "x\r\ny", "ünï", "-x", "x" * 65),
    ],
)
def test_no_static_header_carries_a_key_or_steers_the_connection(name: str) -> None:
    with pytest.raises(ValueError, match=r"secret|connection|pattern|match"):
        a_spec(headers={name: "v"})


@pytest.mark.parametrize("value", ["", " v", "v ", "a\r\nb: c", "a\nb", "a\x00", "\x7f", "ünï", "v" * 300])
def test_a_static_header_has_a_printable_value(value: str) -> None:
    with pytest.raises(ValueError, match="match"):
        a_spec(headers={"acme-version": value})


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"key": "v"}, "secret"),
        ({"api_key": "v"}, "secret"),
        ({"access_token": "v"}, "secret"),
        ({"a&b": "v"}, "match"),
        ({"v": "a&b=c"}, "match"),
        ({"v": "a b"}, "match"),
        ({f"v{number}": "1" for number in range(17)}, "at most 16"),
    ],
)
def test_no_query_parameter_carries_a_key_or_a_second_one(query: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        a_spec(query=query)


def test_a_header_is_given_once_and_is_not_the_keys() -> None:
    with pytest.raises(ValueError, match="twice"):
        a_spec(headers={"acme-version": "1", "Acme-Version": "2"})
    with pytest.raises(ValueError, match="carries the key"):
        a_spec(headers={"X-Acme": "1"}, auth=Auth(header="x-acme", scheme=""))


@pytest.mark.parametrize("path", ["/a/../b", "//host/x", "chat", "/a b", "/{other}", "/a?b=c", "/a#b", "/a{model", "/"])
def test_a_path_leads_nowhere_else(path: str) -> None:
    with pytest.raises(ValueError, match=r"match|elsewhere"):
        Endpoint(operation="chat", method="POST", path=path)


def test_a_url_holds_the_model_and_the_query() -> None:
    endpoint = Endpoint(operation="chat", method="POST", path="/models/{model}:generate")
    spec = a_spec(endpoints=(endpoint,), query={"v": "1", "alt": "sse"})
    assert spec.url(spec.chat, model="a/b?c") == "https://api.acme.example/v1/models/a%2Fb%3Fc:generate?alt=sse&v=1"
    assert spec.url(endpoint, base_url="http://here/", model="m") == "http://here/models/m:generate?alt=sse&v=1"
    assert spec.endpoint("models") is None


def test_a_specification_is_about_a_chat() -> None:
    with pytest.raises(ValueError, match="no endpoint for a chat"):
        a_spec(endpoints=ENDPOINTS[1:])


@pytest.mark.parametrize("quirks", [{"temperature": 1}, {"max_tokens_field": "limit"}, {"stream_usage": "maybe"}])
def test_quirks_are_a_closed_vocabulary(quirks: Any) -> None:
    with pytest.raises(ValueError, match="quirks"):
        a_spec(quirks=quirks)


def test_what_was_published_before_there_were_such_fields_keeps_its_digest() -> None:
    old = {**a_spec().stated(), "quirks": {"stream_usage": False}}
    assert not {"headers", "query"} & old.keys()
    spec = ClientSpec.model_validate(old)
    assert spec.quirks == Quirks(stream_usage=False)
    assert spec.stated() == old
    assert spec.digest == "b65edc5ff2a466d0a12c9216ff074f26a9522c5084738f3621c563ecb4ab646e"


def test_what_is_not_at_its_default_is_stated_and_counts() -> None:
    specs = [
        a_spec(),
        a_spec(headers={"acme-version": "1"}),
        a_spec(query={"v": "1"}),
        a_spec(quirks=Quirks(max_tokens_required=True)),
    ]
    assert len({spec.digest for spec in specs}) == len(specs)
    assert [ClientSpec.model_validate(spec.stated()) for spec in specs] == specs


def test_what_did_not_hold_is_left_out_of_the_model_that_was_tried_alone() -> None:
    able = Model(id="anvil", capabilities=("reasoning", "tool_call"))
    others = (Model(id="anvil-embed", capabilities=("embeddings",)), Model(id="rocket", capabilities=("tool_call",)))
    embeddings = Endpoint(operation="embeddings", method="POST", path="/embeddings")
    spec = a_spec(models=(able, *others), endpoints=(*ENDPOINTS, embeddings))
    assert spec.embedding_model == "anvil-embed"
    less = spec.without({"tool_call"})
    assert [model.capabilities for model in less.models] == [("reasoning",), ("embeddings",), ("tool_call",)]
    assert (less.endpoints, less.digest != spec.digest) == (spec.endpoints, True)
    none = spec.without({"embeddings"})
    assert ([model.id for model in none.models], none.endpoints) == (["anvil", "rocket"], ENDPOINTS)
    assert none.embedding_model is None
