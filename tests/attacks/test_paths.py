"""A model's id that stands in a path neither leaves it nor reaches another endpoint, and no mapping is made of text."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest
from pydantic import ValidationError

from modelscan.errors import DiscoveryFailed
from modelscan.sources.builtin import BUILTIN
from modelscan.sources.models_dev import record_of
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import propose
from modelscan.synthesis.proposal import read_proposal
from modelscan.types import ClientSpec, Identifier, Model, SourceRecord
from tests.attacks.table import Attack, attacks
from tests.codegen.golden import FOLDER, SPECS
from tests.sources.asking import ask_with, json_routes

GEMMA = next(spec for spec in SPECS if spec.provider == "gemma")
CHATS: dict[str, Any] = {"tool_call": True, "modalities": {"input": ["text"], "output": ["text"]}}
ASKED: Any = [{"role": "user", "content": "x"}]

OUTSIDE = (
    Attack("up", ".."),
    Attack("up and elsewhere", "../../v1/files"),
    Attack("up from within", "pro/../../../v1/files"),
    Attack("up at the end", "pro/.."),
    Attack("here", "."),
    Attack("nothing between slashes", "a//b"),
    Attack("a slash before", "/v1/files"),
    Attack("a slash after", "pro/"),
    Attack("backslashes", "..\\..\\v1"),
    Attack("escaped dots", "%2e%2e"),
    Attack("escaped slashes", "..%2F..%2Fv1%2Ffiles"),
    Attack("escaped backslashes", "a%5C..%5Cb"),
)
INSIDE = (
    Attack("another operation", "pro:countTokens"),
    Attack("a query", "pro?key=stolen&alt=media"),
    Attack("a fragment", "pro#"),
    Attack("a user and a host", "@evil.example/pro"),
    Attack("a matrix parameter", "pro;v=1"),
    Attack("an escaped null", "pro%00"),
    Attack("an escaped escape", "%252e%252e"),
    Attack("a variable", "${HOME}"),
    Attack("the variable itself", "{model}"),
    Attack("letters from elsewhere", "pr\u043e\uff0fx"),
)
NO_ID = (
    Attack("line break", "pro\r\nX-Evil: 1"),
    Attack("null byte", "pro\0"),
    Attack("half a surrogate pair", "pro\ud800"),
    Attack("escape sequence", "\x1b[31mpro"),
    Attack("empty", ""),
)


def listed(*models: str) -> Evidence:
    """A list with these models of a provider that has the model in its path."""
    row = {"id": "google", "name": "G", "npm": "@ai-sdk/google", "env": ["G_API_KEY"]}
    listing = {"google": {**row, "models": {one: {"id": one, "name": "x", **CHATS} for one in models}}}
    own = ask_with(json_routes({}), BUILTIN.fetch, "google")
    told = record_of(listing, "google", url="https://models.dev", body=b"", fetched_at=None, note="")
    assert isinstance(own, SourceRecord)
    assert isinstance(told, SourceRecord)
    return Evidence(identifier=Identifier.parse("google"), records=(own, told))


def sent_by(model: str) -> list[str]:
    """The raw paths and queries that the generated client asks for, for a chat and a stream."""
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        assert request.url.host == "x.example"
        asked.append(request.url.raw_path.decode())
        return httpx2.Response(200, json={})

    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile((FOLDER / "gemma.py").read_text(), "gemma.py", "exec"), names)
    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = names["Client"]("k", base_url="https://x.example", http_client=http)
        for call in (client.chat, lambda *given: list(client.stream(*given))):
            with suppress(names["Error"]):
                call(model, ASKED)
    return asked


@attacks(*OUTSIDE)
def test_such_a_model_is_left_out_of_what_is_served_and_never_asked_for(attack: Attack) -> None:
    proposal = propose(listed("pro", attack.hostile))
    assert proposal is not None
    assert [model.id for model in proposal.spec.models] == ["pro"]
    with pytest.raises(DiscoveryFailed):
        propose(listed(attack.hostile))
    with pytest.raises(ValidationError, match="another path"):
        ClientSpec.model_validate({**dict(GEMMA), "models": (Model(id=attack.hostile),)})
    with pytest.raises(ValidationError, match="another path"):
        ClientSpec.model_validate({**dict(GEMMA), "test_model": attack.hostile})
    assert sent_by(attack.hostile) == []


@attacks(*NO_ID)
def test_what_is_no_id_is_not_asked_for_by_a_client_either(attack: Attack) -> None:
    assert sent_by(attack.hostile) == []


@attacks(*INSIDE)
def test_such_a_model_stays_one_step_of_its_path(attack: Attack) -> None:
    spec = ClientSpec.model_validate(
        {**dict(GEMMA), "models": (Model(id=attack.hostile),), "base_url": "https://x.example"}
    )
    chat, stream = sent_by(attack.hostile)
    assert spec.url(spec.chat, model=attack.hostile) == f"https://x.example{chat}"
    assert stream.endswith(":streamGenerateContent?alt=sse")
    before, _, after = chat.partition("/v1beta/models/")
    step = after.removesuffix(":generateContent")
    assert (before, after == step) == ("", False)
    assert not set(step) & set("/?#@:;\\ ")
    assert unquote(step) == attack.hostile


PROTOCOLS = (
    Attack("the protocol without a mapping", "custom_rest"),
    Attack("a mapping of its own", json.dumps({"name": "x"})),
    Attack("a mapping that nobody knows", "evil_v1"),
)


@attacks(*PROTOCOLS)
def test_a_language_model_names_a_known_mapping_or_none(attack: Attack) -> None:
    cited = {"value": attack.hostile, "records": ["r"]}
    refused = read_proposal({"protocol": cited, "base_url": {"value": "https://x.example", "records": ["r"]}})
    assert isinstance(refused, tuple)
    assert refused[0].field == "protocol.value"


def test_a_language_model_writes_no_mapping() -> None:
    cited = {"value": "cohere_v2", "records": ["r"]}
    said = {"protocol": cited, "base_url": {"value": "https://x.example", "records": ["r"]}}
    assert not isinstance(read_proposal(said), tuple)
    refused = read_proposal({**said, "rest": {"name": "x"}})
    assert isinstance(refused, tuple)
    assert refused[0].field == "rest"
