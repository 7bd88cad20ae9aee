from typing import Any

import pytest

from modelscan.errors import HostRefused, NotEnoughEvidence, UnknownIdentifier, UnsupportedProtocol
from modelscan.sources.provider_itself import Observation
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import propose
from modelscan.types import Attempt, Auth, ClientSpec, RestMapping, SourceGap, SourceRecord
from modelscan.wire.mappings import COHERE_V2, GEMINI_GENERATE_CONTENT
from tests.synthesis.telling import ACME, BOX, attempt, builtin, evidence, listed, operator, provider, saw

BEARER = Auth(env=("LOCAL_API_KEY",))
UNREACHABLE = SourceGap(
    source="provider", kind="unreachable", reason="http://127.0.0.1:9001 cannot be reached: refused."
)
UNKNOWN = SourceGap(
    source="models.dev", kind="unknown", reason="models.dev lists 3 providers", nearest=("acme", "apex")
)
DEMO = SourceRecord.of(
    source="builtin",
    subject="demo",
    url="http://127.0.0.1:8080/reference/v1",
    payload={
        "name": "Demo",
        "base_url": "http://127.0.0.1:8080/reference/v1",
        "protocol": "openai_chat",
        "auth": "none",
        "models": ["echo"],
    },
    trusted=True,
)


def first(told: Evidence) -> ClientSpec:
    proposal = propose(told)
    assert proposal is not None
    return proposal.spec


def proposed(told: Evidence, *failures: int | None) -> list[ClientSpec]:
    """The proposal of each loop, where loop n failed with the n-th status."""
    attempts: list[Attempt] = []
    specs = []
    for status in (*failures, None):
        proposal = propose(told, attempts)
        if proposal is None:
            break
        specs.append(proposal.spec)
        attempts.append(attempt(proposal.spec, status, number=len(attempts) + 1))
    return specs


def loops(told: Evidence, *failures: int | None) -> list[tuple[str, str]]:
    """(base URL, key header or none) of each loop."""
    auths = [(spec.base_url, spec.auth) for spec in proposed(told, *failures)]
    return [(base, auth.header if auth.kind == "header" else "none") for base, auth in auths]


def protocols_tried(told: Evidence, *failures: int | None) -> list[str]:
    return [spec.protocol for spec in proposed(told, *failures)]


def test_a_listed_provider_is_what_the_list_says() -> None:
    spec = first(evidence("acme/anvil", listed()))
    assert (spec.name, spec.base_url, spec.protocol, spec.test_model) == ("Acme", ACME, "openai_chat", "anvil")
    assert spec.auth == Auth(env=("ACME_KEY",))
    assert [model.id for model in spec.models] == [
        "anvil",
        "anvil-embed",
        "anvil-guard",
        "anvil-old",
        "rocket/skates:v2",
    ]
    assert [endpoint.operation for endpoint in spec.endpoints] == ["chat", "models", "embeddings"]
    assert not spec.operator_host


def test_every_field_cites_a_record_that_is_there() -> None:
    told = evidence("acme", listed(), provider(saw("GET", 200, "anvil", base_url=ACME), url=ACME))
    spec = first(told)
    assert set(spec.evidence) == {*ClientSpec.CITED_FIELDS, "models:models.dev"}
    assert set(spec.evidence.values()) <= {record.id for record in told.records}
    assert spec.evidence["models"] == provider(saw("GET", 200, "anvil", base_url=ACME), url=ACME).id


def test_the_words_say_the_hypothesis_and_what_is_left_out() -> None:
    proposal = propose(evidence("acme", listed()))
    assert proposal is not None
    assert proposal.words == (
        f"OpenAI chat completions at {ACME}, key in Authorization, models: 5 "
        "(4 more that models.dev lists are no models of this protocol)"
    )


def test_the_same_evidence_gives_the_same_digest() -> None:
    assert first(evidence("acme", listed())).digest == first(evidence("acme", listed())).digest


def test_what_a_list_states_is_never_varied() -> None:
    assert loops(evidence("acme", listed()), 401, 401) == [(ACME, "Authorization")]


def test_our_own_row_says_where_a_provider_is_that_lists_no_url() -> None:
    spec = first(evidence("groq", builtin("groq"), listed(npm="@ai-sdk/groq", api=None)))
    assert (spec.base_url, spec.evidence["base_url"]) == ("https://api.groq.com/openai/v1", builtin("groq").id)


def test_a_chat_endpoints_own_url_stands_for_its_base() -> None:
    assert first(evidence("acme", listed(api=f"{ACME}/chat/completions"))).base_url == ACME


def test_the_demo_needs_no_key_and_is_this_services_own_host() -> None:
    spec = first(evidence("demo/echo", DEMO))
    assert (spec.name, spec.auth.kind, spec.operator_host) == ("Demo", "none", True)
    assert [model.id for model in spec.models] == ["echo"]


@pytest.mark.parametrize(
    ("package", "api", "mapping", "header"),
    [
        ("@ai-sdk/google", "https://acme.example/v1beta", GEMINI_GENERATE_CONTENT, "x-goog-api-key"),
        ("@ai-sdk/cohere", "https://acme.example/v2", COHERE_V2, "Authorization"),
    ],
)
def test_a_package_of_a_known_mapping_is_custom_rest(package: str, api: str, mapping: RestMapping, header: str) -> None:
    spec = first(evidence("acme", listed(npm=package, api=api)))
    assert (spec.protocol, spec.rest, spec.base_url) == ("custom_rest", mapping, "https://acme.example")
    assert spec.auth.header == header
    # Whether it lists its models is not certain before it was asked.
    assert spec.endpoint("models") is None


@pytest.mark.parametrize(
    ("package", "protocol"),
    [
        ("@ai-sdk/google-vertex", "vertex_generate_content"),
        ("@ai-sdk/azure", "azure_openai"),
    ],
)
def test_another_protocol_is_reported_by_its_name(package: str, protocol: str) -> None:
    with pytest.raises(UnsupportedProtocol, match=protocol) as caught:
        propose(evidence("acme", listed(npm=package)))
    assert caught.value.fields["protocol"] == protocol


def test_a_provider_whose_models_all_have_another_way_is_unsupported() -> None:
    deep = {"deep": {"id": "deep", "provider": {"shape": "responses"}}}
    with pytest.raises(UnsupportedProtocol, match="spoken to otherwise: responses"):
        propose(evidence("acme", listed(models=deep)))


def test_a_package_that_tells_no_protocol_is_not_guessed() -> None:
    with pytest.raises(NotEnoughEvidence, match="roadrunner-ai-sdk, which tells no protocol"):
        propose(evidence("roadrunner", listed("roadrunner")))
    with pytest.raises(NotEnoughEvidence, match="names its package no package"):
        propose(evidence("acme", listed("acme", "missing")))


@pytest.mark.parametrize(("provider_id", "lacks"), [("bare", "lists a model"), ("nowhere", "names a base URL")])
def test_what_no_source_says_is_not_made_up(provider_id: str, lacks: str) -> None:
    with pytest.raises(NotEnoughEvidence, match=lacks):
        propose(evidence(provider_id, listed(provider_id, "missing")))


def test_an_unknown_provider_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownIdentifier, match="Did you mean acme, apex") as caught:
        propose(evidence("acmee", UNKNOWN))
    assert caught.value.fields["nearest"] == ["acme", "apex"]


def test_an_unknown_provider_without_near_ones_is_told_plainly() -> None:
    with pytest.raises(UnknownIdentifier, match=r"provider 'zz'\. A server"):
        propose(evidence("zz"))


def test_a_row_that_cannot_be_read_is_no_unknown_provider() -> None:
    gap = SourceGap(
        source="models.dev", kind="malformed", reason="models.dev's row of acme cannot be read: not a string"
    )
    with pytest.raises(NotEnoughEvidence, match="cannot be read"):
        propose(evidence("acme", gap))


def test_a_private_address_in_a_list_is_refused_unless_it_was_allowed() -> None:
    told = listed(api="http://127.0.0.1:1234/v1")
    with pytest.raises(HostRefused, match="private address"):
        propose(evidence("acme", told))
    assert not first(evidence("acme", told, allowed_private=("127.0.0.1:1234",))).operator_host


def test_an_own_server_without_a_key_is_what_it_shows() -> None:
    spec = first(evidence("local/smol", operator(), provider(saw("GET", 200, "smol"), saw("POST", 400))))
    assert (spec.provider, spec.name, spec.base_url) == ("local", "local", BOX)
    assert (spec.auth.kind, spec.test_model, spec.operator_host) == ("none", "smol", True)


def test_an_own_server_may_speak_for_a_listed_provider() -> None:
    spec = first(evidence("acme/smol", operator(), listed(), provider(saw("GET", 200, "smol"), saw("POST", 401))))
    assert (spec.base_url, spec.name, [model.id for model in spec.models]) == (BOX, "Acme", ["smol"])
    assert spec.auth.env == ("ACME_API_KEY",)


def test_an_own_demo_is_not_taken_for_the_bundled_one() -> None:
    spec = first(evidence("demo/smol", operator(), DEMO, provider(saw("GET", 200, "smol"), saw("POST", 401))))
    assert (spec.base_url, spec.auth.kind) == (BOX, "header")


def test_the_neighbour_that_looks_like_the_api_is_first() -> None:
    bare = BOX.removesuffix("/v1")
    seen = provider(saw("GET", 404, base_url=bare), saw("GET", 200, "smol"), saw("POST", 400))
    assert first(evidence("local/smol", operator(bare), seen)).base_url == BOX


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_that_a_key_is_needed(status: int) -> None:
    told = evidence("local/smol", operator(), provider(saw("GET", 200, "smol"), saw("POST", status)))
    assert first(told).auth == BEARER


def test_a_refused_models_list_speaks_where_the_chat_is_not_there() -> None:
    told = evidence("local/smol", operator(), provider(saw("GET", 401), saw("POST", 404)))
    assert first(told).auth == BEARER


def test_the_header_that_was_accepted_is_first() -> None:
    accepted = saw("GET", 200, "smol", with_key=True, key_header="x-api-key")
    told = evidence("local/smol", operator(), provider(saw("GET", 401), saw("POST", 401), accepted))
    assert (first(told).auth.header, first(told).auth.scheme) == ("x-api-key", "")


def test_after_a_refusal_another_header_is_tried_at_the_same_place() -> None:
    told = evidence("local/smol", operator(), provider(saw("GET", 200, "smol"), saw("POST", 401)))
    assert loops(told, 401, 403, 401) == [(BOX, "Authorization"), (BOX, "x-api-key"), (BOX, "api-key")]


def test_after_any_other_failure_the_neighbouring_path_is_tried_and_then_the_other_protocol() -> None:
    told = evidence("local/smol", operator(), provider(saw("GET", 404), saw("POST", 404)))
    bare = BOX.removesuffix("/v1")
    assert loops(told, 404, 404) == [(BOX, "none"), (bare, "none"), (bare, "none")]
    assert protocols_tried(told, 404, 404) == ["openai_chat", "openai_chat", "anthropic_messages"]


def spoke(status: int, path: str = "/v1/messages", method: str = "POST", **more: Any) -> Observation:
    return saw(method, status, base_url=BOX.removesuffix("/v1"), path=path, **more)


@pytest.mark.parametrize("chat", [400, 401, 500])
def test_a_server_that_answers_messages_alone_is_taken_as_such(chat: int) -> None:
    told = evidence("local", operator(), provider(saw("GET", 200, "sonata"), saw("POST", 404), spoke(chat)))
    spec = first(told)
    assert (spec.protocol, spec.base_url) == ("anthropic_messages", BOX.removesuffix("/v1"))
    assert spec.headers == {"anthropic-version": "2023-06-01"}
    assert (spec.auth.kind, spec.auth.header) == (("header", "x-api-key") if chat == 401 else ("none", "Authorization"))
    assert [model.id for model in spec.models] == ["sonata"]
    assert [endpoint.operation for endpoint in spec.endpoints] == ["chat", "models"]


def test_a_server_that_answers_both_is_taken_as_openais_first_and_the_other_after_a_red_loop() -> None:
    seen = (saw("GET", 200, "sonata"), saw("POST", 400), spoke(400), spoke(400, "/v1/messages/count_tokens"))
    told = evidence("local", operator(), provider(*seen))
    assert protocols_tried(told, 500) == ["openai_chat", "anthropic_messages"]
    assert protocols_tried(told, 401)[-1] == "openai_chat"


@pytest.mark.parametrize(("path", "meant"), [("messages", "anthropic_messages"), ("chat/completions", "openai_chat")])
def test_the_place_of_a_chat_says_which_of_several_protocols_is_meant(path: str, meant: str) -> None:
    seen = (saw("GET", 200, "sonata"), saw("POST", 400), spoke(400))
    told = evidence("local/sonata", operator(f"{BOX}/{path}"), provider(*seen))
    assert first(told).protocol == meant


def test_what_is_answered_at_another_protocols_places_moves_no_base_url() -> None:
    bare = BOX.removesuffix("/v1")
    both = [saw("GET", 200, "sonata", base_url=base) for base in (BOX, bare)]
    both += [saw("POST", 400, base_url=base) for base in (BOX, bare)]
    told = evidence("local", operator(), provider(*both, spoke(200, "/v1/models", "GET"), spoke(400)))
    assert first(told).base_url == BOX


def test_a_provider_of_the_anthropic_package_has_its_base_url_without_what_the_sdk_adds() -> None:
    spec = first(evidence("acme", listed(npm="@ai-sdk/anthropic", api="https://api.acme.example/anthropic/v1")))
    assert (spec.protocol, spec.base_url) == ("anthropic_messages", "https://api.acme.example/anthropic")
    assert (spec.auth.header, spec.auth.scheme) == ("x-api-key", "")
    assert [endpoint.operation for endpoint in spec.endpoints] == ["chat"]


def test_our_own_row_vouches_for_all_that_anthropic_has() -> None:
    spec = first(evidence("anthropic", listed(npm="@ai-sdk/anthropic"), builtin("anthropic")))
    assert [endpoint.operation for endpoint in spec.endpoints] == ["chat", "models", "count_tokens"]
    assert (spec.auth.header, spec.auth.scheme) == ("Authorization", "Bearer")


def test_each_loop_answers_the_failure_before_it() -> None:
    told = evidence("local/smol", operator(), provider(saw("GET", 404), saw("POST", 400)))
    bare = BOX.removesuffix("/v1")
    assert loops(told, 404, 401) == [(BOX, "none"), (bare, "none"), (bare, "Authorization")]


def test_a_neighbour_that_lacks_the_models_is_passed_over() -> None:
    told = evidence("local", operator(), provider(saw("GET", 200, "smol"), saw("POST", 400)))
    assert loops(told, 500) == [(BOX, "none")]


def test_an_attempt_of_other_evidence_does_not_narrow_what_is_tried() -> None:
    told = evidence("local/smol", operator(), provider(saw("GET", 200, "smol"), saw("POST", 401)))
    other = attempt(first(evidence("acme", listed())), 404)
    assert propose(told, [other]) is not None


def test_later_proposals_say_that_they_are_instead() -> None:
    told = evidence("local/smol", operator(), provider(saw("GET", 200, "smol"), saw("POST", 401)))
    second = propose(told, [attempt(first(told), 401)])
    assert second is not None
    assert second.words == f"instead: OpenAI chat completions at {BOX}, key in x-api-key, models: 1"


def test_an_own_server_that_cannot_be_reached_is_told_so() -> None:
    with pytest.raises(
        NotEnoughEvidence, match=r"local/x: http://127.0.0.1:9001 cannot be reached: refused\. Start the server"
    ):
        propose(evidence("local/x", operator(), UNREACHABLE))
    with pytest.raises(NotEnoughEvidence, match="it was not asked"):
        propose(evidence("local/x", operator()))


def test_a_server_that_is_no_llm_api_is_still_proposed_so_that_its_cases_tell() -> None:
    page = [saw("GET", 200, shape="other"), saw("POST", 405, shape="other")]
    assert first(evidence("local/x", operator(), provider(*page))).test_model == "x"
