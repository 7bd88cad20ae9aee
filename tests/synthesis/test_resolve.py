from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.errors import HostRefused, NotEnoughEvidence, UnsupportedProtocol
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.resolve import resolve
from modelscan.types import Auth, ClientSpec, Model
from tests.synthesis.telling import ACME, BOX, evidence, listed, operator, provider, saw


def resolved(told: Evidence, **changes: Any) -> ClientSpec:
    fields: dict[str, Any] = {
        "name": "Acme",
        "protocol": "openai_chat",
        "base_url": ACME,
        "auth": Auth(),
        "models": (Model(id="anvil"),),
        "test_model": "anvil",
        "cited": dict.fromkeys(ClientSpec.CITED_FIELDS, told.records[0].id),
    }
    return resolve(told, **fields | changes)


def test_what_is_cited_becomes_a_specification() -> None:
    assert resolved(evidence("acme", listed())).base_url == ACME


@pytest.mark.parametrize("field", ClientSpec.CITED_FIELDS)
def test_a_field_without_a_record_is_refused(field: str) -> None:
    told = evidence("acme", listed())
    for cited in ("", "0123456789abcdef"):
        with pytest.raises(NotEnoughEvidence, match=f"Nothing says what {field}"):
            resolved(told, cited=dict.fromkeys(ClientSpec.CITED_FIELDS, told.records[0].id) | {field: cited})


def test_a_url_that_no_record_names_is_refused() -> None:
    with pytest.raises(HostRefused, match=r"No trusted source names https://evil\.example/v1"):
        resolved(evidence("acme", listed()), base_url="https://evil.example/v1")


def test_a_url_that_only_the_providers_own_words_name_is_refused() -> None:
    words = provider(saw("POST", 400, message="https://evil.example/v1"), saw("GET", 200, "https://evil.example/v1"))
    with pytest.raises(HostRefused, match="No trusted source"):
        resolved(evidence("local", operator(), words), base_url="https://evil.example/v1")


@pytest.mark.parametrize(
    "base_url", ["ftp://box/v1", "${HOST}/v1", "https://me:secret@acme.example/v1", "http://[x:y]/", "acme"]
)
def test_a_url_without_a_fixed_host_is_refused(base_url: str) -> None:
    with pytest.raises(NotEnoughEvidence, match=r"names no fixed http\(s\) host"):
        resolved(evidence("acme", listed(api=base_url)), base_url=base_url)


def test_a_variable_in_the_url_is_kept() -> None:
    base_url = "https://${ACME_HOST}/accounts/${ACME_ID}/v1"
    assert resolved(evidence("acme", listed(api=base_url)), base_url=base_url).base_url == base_url


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "10.0.0.1",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "localhost",
        "localhost.",
        "box.local",
        "db.internal",
    ],
)
def test_a_list_may_not_name_a_private_address_in_any_spelling(host: str) -> None:
    base_url = f"http://{host}:9001/v1"
    with pytest.raises(HostRefused, match="private address"):
        resolved(evidence("acme", listed(api=base_url)), base_url=base_url)


@pytest.mark.parametrize("allowed", ["10.0.0.1", "10.0.0.1:9001"])
def test_the_operator_may_allow_a_list_to_name_a_private_one(allowed: str) -> None:
    base_url = "http://10.0.0.1:9001/v1"
    assert not resolved(
        evidence("acme", listed(api=base_url), allowed_private=(allowed,)), base_url=base_url
    ).operator_host


def test_the_operators_own_word_is_enough_for_a_private_one() -> None:
    assert resolved(evidence("local", operator()), base_url=BOX).operator_host


def test_what_makes_no_specification_is_told_as_such() -> None:
    with pytest.raises(NotEnoughEvidence, match="makes no specification"):
        resolved(evidence("acme", listed()), test_model=" ")


def test_a_protocol_without_a_row_is_unsupported() -> None:
    with pytest.raises(UnsupportedProtocol):
        resolved(evidence("acme", listed()), protocol="smoke_signals")


@given(st.text(max_size=60))
def test_no_text_becomes_a_base_url_unless_a_record_holds_it(text: str) -> None:
    for base_url in (text, f"https://{text}", f"{ACME}{text}x"):
        with pytest.raises((HostRefused, NotEnoughEvidence)):
            resolved(evidence("acme", listed()), base_url=base_url)
