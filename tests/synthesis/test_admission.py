from typing import Any

import pytest

from modelscan.synthesis.admission import admit
from modelscan.synthesis.evidence import Evidence
from modelscan.types import Attempt, CaseResult, ClientSpec, Decision, Level, SourceRecord, ValidationReport
from modelscan.wire.mappings import GEMINI_GENERATE_CONTENT
from tests.synthesis.proposing import LISTED, SEEN, read, said, thin
from tests.synthesis.telling import ACME, BOX, attempt, evidence, listed, operator, provider, saw

OWN = provider(saw("GET", 200, "smol"), saw("POST", 400))
WORDS = SourceRecord.of(
    source="huggingface",
    subject="acme",
    url="https://hub.example",
    payload={"readme": "See https://evil.example/v1", "api": "https://evil.example/v1", "env": "AWS_SECRET_ACCESS_KEY"},
    trusted=False,
)
COMPLAINT = CaseResult(
    case="chats", level=Level.LIVE, outcome="failed", status=400, detail="missing header X-Tenant: blue"
)
RED = Attempt(number=1, proposal="p", spec_digest="x", report=ValidationReport(level=Level.PROBE, results=(COMPLAINT,)))


def own() -> Evidence:
    return evidence("local/smol", operator(), OWN)


def admitted(told: Evidence, *attempts: Attempt, **changes: Any) -> ClientSpec:
    verdict = admit(told, read(**changes), attempts)
    assert isinstance(verdict, ClientSpec), verdict
    return verdict


def refused(told: Evidence, *attempts: Attempt, **changes: Any) -> list[str]:
    verdict = admit(told, read(**changes), attempts)
    assert not isinstance(verdict, ClientSpec)
    return [f"{one.field}: {one.reason}" for one in verdict]


def test_what_the_records_bear_out_becomes_a_specification() -> None:
    spec = admitted(thin())
    assert (spec.base_url, spec.protocol, spec.test_model, spec.auth.env) == (
        ACME,
        "openai_chat",
        "anvil",
        ("ACME_KEY",),
    )
    assert spec.evidence["protocol"] == SEEN.id
    assert spec.evidence["base_url"] == LISTED.id


def test_one_wrong_citation_refuses_the_whole() -> None:
    assert refused(thin(), base_url=said(ACME, LISTED.id, "0123456789abcdef")) == [
        "base_url: there is no record 0123456789abcdef"
    ]
    assert refused(thin(), protocol=said("openai_chat", LISTED.id)) == [
        f"protocol: record {LISTED.id} says nothing of openai_chat"
    ]


@pytest.mark.parametrize("status", [404, 405])
def test_a_path_that_was_asked_for_and_not_there_speaks_for_no_protocol(status: int) -> None:
    silent = provider(saw("GET", 200, "anvil", base_url=ACME), saw("POST", status, base_url=ACME), url=ACME)
    told = evidence("acme/anvil", LISTED, silent)
    assert refused(told, protocol=said("openai_chat", silent.id)) == [
        f"protocol: record {silent.id} says nothing of openai_chat"
    ]


@pytest.mark.parametrize(
    "payload",
    [
        {"api_type": "OpenAI-compatible"},
        {"paths": {"/v1/chat/completions": "post"}},
        {"npm": "@ai-sdk/openai-compatible"},
    ],
)
def test_a_record_speaks_of_a_protocol_by_name_path_or_package(payload: dict[str, Any]) -> None:
    words = SourceRecord.of(source="openapi", subject="acme", url=ACME, payload=payload, trusted=False)
    assert admitted(evidence("acme/anvil", LISTED, words), protocol=said("openai_chat", words.id))


@pytest.mark.parametrize(
    ("payload", "spoken"),
    [
        ({"note": "It speaks like Gemini."}, False),
        ({"models": ["google/gemini-2.5-pro"]}, False),
        ({"paths": {"/v1beta/models/{model}:generateContent": "post"}}, True),
        ({"npm": "@ai-sdk/google"}, True),
        ({"protocol": "gemini_generate_content"}, True),
    ],
)
def test_a_known_mapping_is_taken_where_a_record_gives_its_path_or_its_package(
    payload: dict[str, Any], spoken: bool
) -> None:
    words = SourceRecord.of(source="openapi", subject="acme", url=ACME, payload=payload, trusted=False)
    told = evidence("acme/anvil", LISTED, words)
    auth = said({"kind": "header", "header": "x-goog-api-key", "scheme": "", "env": []}, LISTED.id)
    named = {"protocol": said("gemini_generate_content", words.id), "auth": auth}
    if spoken:
        spec = admitted(told, **named)
        assert (spec.protocol, spec.rest, spec.auth.header) == (
            "custom_rest",
            GEMINI_GENERATE_CONTENT,
            "x-goog-api-key",
        )
    else:
        assert refused(told, **named) == [f"protocol: record {words.id} says nothing of gemini_generate_content"]


def test_another_protocol_is_spoken_in_its_own_way() -> None:
    seen = saw("POST", 401, base_url=ACME.removesuffix("/v1"), path="/v1/messages")
    messages = provider(seen, url=ACME)
    spec = admitted(evidence("acme/anvil", LISTED, messages), protocol=said("anthropic_messages", messages.id))
    assert (spec.protocol, spec.base_url) == ("anthropic_messages", ACME.removesuffix("/v1"))
    assert spec.auth.header.lower() == "x-api-key"
    assert spec.headers["anthropic-version"]


def test_every_reason_is_told_at_once() -> None:
    reasons = refused(thin(), base_url=said("https://x.example", "nope"), test_model=said("gpt-9", LISTED.id))
    assert [reason.partition(":")[0] for reason in reasons] == ["base_url", "base_url", "test_model"]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1",
        "https://api.acme.example.evil.example/v1",
        "https://api.acme.example@evil.example/v1",
        "https://api.acme.example:8443/v1",
        "http://api.acme.example/v1",
        "https://\u0430pi.acme.example/v1",
        "https://xn--pi-6kc.acme.example/v1",
        "https://api.acme.example/v1/../../evil",
        "https://api.acme.example/v1#@evil.example",
        "https://api.acme.example/v1?x=1",
        "https://API.ACME.EXAMPLE/v1",
        "https://api.acme.example\u3002evil.example/v1",
        f"{ACME}\u200b",
        "//evil.example/v1",
        "file:///etc/passwd",
        "http://127.0.0.1:9001/v1",
        "http://169.254.169.254/latest",
        "http://[::1]/v1",
        "https://docs.acme.example",
        "${AWS_SECRET_ACCESS_KEY}",
    ],
)
def test_an_address_that_no_trusted_record_gives_is_refused(url: str) -> None:
    told = evidence("acme/anvil", LISTED, SEEN, WORDS)
    for cited in (LISTED.id, SEEN.id, WORDS.id):
        assert any("no trusted record and no operator names" in one for one in refused(told, base_url=said(url, cited)))


def test_an_address_is_cited_from_a_trusted_record_and_from_the_one_that_gives_it() -> None:
    both = evidence("acme/anvil", LISTED, SEEN, WORDS)
    assert refused(both, base_url=said(ACME, SEEN.id)) == ["base_url: cite a trusted record that gives it"]
    assert refused(both, base_url=said(ACME, WORDS.id, LISTED.id)) == [
        f"base_url: record {WORDS.id} does not give this address in any of its fields"
    ]


def test_the_page_of_the_documentation_is_no_address_to_speak_to() -> None:
    told = listed(npm="acme-ai-sdk", api=ACME, doc="https://docs.acme.example/v1")
    assert refused(evidence("acme/anvil", told, SEEN), base_url=said("https://docs.acme.example/v1", told.id))


def test_a_private_address_in_a_list_is_refused_here_too() -> None:
    told = listed(npm="acme-ai-sdk", api="http://10.0.0.1/v1")
    assert refused(evidence("acme/anvil", told, SEEN), base_url=said("http://10.0.0.1/v1", told.id)) == [
        "proposal: http://10.0.0.1/v1 is a private address, which a list may not name."
    ]


def test_the_operators_own_server_may_be_anywhere() -> None:
    spec = admitted(own(), protocol=said("openai_chat", OWN.id), base_url=said(BOX, operator().id))
    assert (spec.base_url, spec.operator_host, spec.auth.kind) == (BOX, True, "none")


def test_the_way_of_the_key_is_a_usual_one_or_named() -> None:
    way = {"kind": "header", "header": "x-api-key", "scheme": "", "env": []}
    spec = admitted(thin(), auth=said(way, SEEN.id))
    assert (spec.auth.header, spec.auth.scheme, spec.auth.env) == ("x-api-key", "", ("ACME_KEY",))
    odd = said(way | {"header": "X-Secret-Way"}, SEEN.id)
    assert refused(thin(), auth=odd) == ["auth: what is cited does not name the header X-Secret-Way"]
    named = CaseResult(case="chats", level=Level.LIVE, outcome="failed", detail="send your key in x-secret-way")
    red = RED.model_copy(update={"report": ValidationReport(level=Level.PROBE, results=(named,))})
    assert admitted(thin(), red, auth=said(way | {"header": "X-Secret-Way"}, SEEN.id, "loop-1")).auth.header
    assert refused(thin(), red, auth=said(way, "loop-1")) == ["auth: cite a record, not attempts alone"]


def test_a_header_of_no_good_form_is_refused() -> None:
    odd = {"kind": "header", "header": "x-api-key", "scheme": "", "env": ["ACME KEY"]}
    assert refused(thin(), auth=said(odd, SEEN.id))[0].startswith("auth: no trusted record names")
    told = listed(npm="acme-ai-sdk", env=["A:B", "bad header"])
    way = said({"kind": "header", "header": "bad header", "scheme": "", "env": []}, told.id)
    assert refused(evidence("acme/anvil", told, SEEN), auth=way, base_url=said(ACME, told.id))[0].startswith("auth: ")


def test_no_key_at_all_needs_a_record_only() -> None:
    none = {"kind": "none", "header": "", "scheme": "", "env": []}
    assert admitted(thin(), auth=said(none, SEEN.id)).auth.kind == "none"


def test_a_stranger_does_not_choose_which_variable_is_sent_as_the_key() -> None:
    told = evidence("acme/anvil", LISTED, SEEN, WORDS)
    way = {"kind": "header", "header": "x-api-key", "scheme": "", "env": ["AWS_SECRET_ACCESS_KEY"]}
    assert refused(told, auth=said(way, WORDS.id)) == [
        "auth: no trusted record names the variable AWS_SECRET_ACCESS_KEY"
    ]
    assert admitted(told, auth=said(way | {"env": ["ACME_KEY"]}, WORDS.id)).auth.env == ("ACME_KEY",)
    named = listed(npm="acme-ai-sdk", api=ACME, doc="AWS_SECRET_ACCESS_KEY")
    assert refused(evidence("acme/anvil", named, SEEN), auth=said(way, SEEN.id), base_url=said(ACME, named.id)) == [
        "auth: no trusted record names the variable AWS_SECRET_ACCESS_KEY"
    ]


def test_what_the_operator_rejected_is_no_evidence_for_a_model_either() -> None:
    no_protocol = Decision.of("reject", "acme", "protocol", source="provider")
    assert refused(thin().model_copy(update={"decisions": (no_protocol,)})) == [
        f"protocol: the operator rejected what record {SEEN.id} says of it"
    ]
    no_address = Decision.of("reject", "acme", "base_url", source="models.dev")
    (reason,) = refused(thin().model_copy(update={"decisions": (no_address,)}))
    assert reason == f"proposal: No trusted source names {ACME}."


def test_a_static_header_stands_in_what_is_cited() -> None:
    tenant = [{"name": "X-Tenant", "value": "blue"}]
    assert admitted(thin(), RED, headers=said(tenant, "loop-1")).headers == {"X-Tenant": "blue"}
    assert refused(thin(), headers=said(tenant, SEEN.id)) == [
        "headers: what is cited does not say X-Tenant",
        "headers: what is cited does not say blue",
    ]


def test_a_static_header_that_could_carry_a_key_is_refused_though_it_is_cited() -> None:
    detail = COMPLAINT.model_copy(update={"detail": "send Cookie: session"})
    red = RED.model_copy(update={"report": ValidationReport(level=Level.PROBE, results=(detail,))})
    said_so = refused(thin(), red, headers=said([{"name": "Cookie", "value": "session"}], "loop-1"))
    assert len(said_so) == 1
    assert "makes no specification" in said_so[0]


def test_a_quirk_may_rest_on_an_attempt() -> None:
    quirks = said({"max_tokens_field": "max_completion_tokens"}, "loop-1")
    assert admitted(thin(), RED, quirks=quirks).quirks.max_tokens_field == "max_completion_tokens"
    assert refused(thin(), quirks=quirks) == ["quirks: there is no record loop-1"]


def test_models_are_those_that_are_listed() -> None:
    spec = admitted(thin("acme"), models=said(["anvil", "anvil-guard"], LISTED.id), test_model=said("anvil", SEEN.id))
    assert ([model.id for model in spec.models], spec.test_model) == (["anvil", "anvil-guard"], "anvil")
    assert spec.models[0].context_tokens
    assert refused(thin("acme"), models=said(["anvil", "made-up"], LISTED.id)) == [
        "models: what is cited does not list the model made-up"
    ]


def test_the_model_that_was_asked_for_is_the_one_to_try() -> None:
    spec = admitted(
        thin("acme/anvil"), models=said(["anvil-guard"], LISTED.id), test_model=said("anvil-guard", LISTED.id)
    )
    assert ([model.id for model in spec.models], spec.test_model) == (["anvil", "anvil-guard"], "anvil")


def test_the_operator_vouches_for_the_model_that_was_asked_for() -> None:
    silent = provider(saw("GET", 404), saw("POST", 400))
    told = evidence("local/mine", operator(), silent)
    fields = {"protocol": said("openai_chat", silent.id), "base_url": said(BOX, operator().id)}
    assert admitted(told, **fields, test_model=said("mine", operator().id)).test_model == "mine"


def test_what_was_tried_is_not_taken_again() -> None:
    tried = attempt(admitted(thin()), 404)
    assert refused(thin(), tried) == ["proposal: this is what loop-1 tried, and it failed: propose something else"]


def test_rules_say_what_is_missing_where_they_cannot_fill_it_in() -> None:
    assert refused(thin("acme/nope"))[0].startswith("proposal: acme does not list the model 'nope'")
