import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from modelscan.errors import InvalidIdentifier, ModelScanError
from modelscan.redaction import REDACTED, Redactor, secrets_of
from modelscan.types import Identifier


def test_every_known_secret_is_taken_out_the_longest_first() -> None:
    redact = Redactor(SecretStr("canary-1"), "canary-1-and-more", "", "ab")
    assert redact("x canary-1-and-more, canary-1; ab") == f"x {REDACTED}, {REDACTED}; ab"


def test_a_secret_is_found_as_json_writes_it() -> None:
    secret = 'quo"te\\slash'
    assert json.dumps(secret)[1:-1] not in Redactor(secret)(json.dumps({"a": secret}))


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdefghij0123456789ABCDEFGHIJ",
        "sk-ant-api03-abcdefghij0123456789ABCDEFGHIJ",
        "gsk_abcdefghij0123456789ABCDEFGHIJ",
        "AIzaSyA0123456789abcdefghijABCDEFGHIJ",
        "hf_abcdefghijABCDEFGHIJabcdefghij",
        "msk-abcdefghij-0123456789_ABCDEFGH",
        "ghp_abcdefghijABCDEFGHIJabcdefghij",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghij",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_has_the_shape_of_a_key_is_taken_out_though_nobody_knows_it(key: str) -> None:
    redacted = Redactor()(f"before {key} after")
    assert redacted == f"before {REDACTED} after"


def test_a_bearer_token_and_a_password_in_a_url_are_taken_out() -> None:
    redact = Redactor()
    assert redact("Authorization: Bearer abcdef0123456789abcdef") == f"Authorization: Bearer {REDACTED}"
    assert redact("https://me:secret@host/v1") == f"https://{REDACTED}@host/v1"


@pytest.mark.parametrize(
    "text",
    [
        "skywork-or1-32b-preview-and-more-words",
        "claude-3-5-sonnet-20241022",
        "accounts/fireworks/models/llama-v3p1-405b-instruct",
        "https://api.acme.example:8443/v1",
        "0123456789abcdef",
    ],
)
def test_names_of_models_and_addresses_are_left_alone(text: str) -> None:
    assert Redactor()(text) == text


def test_the_environments_secrets_are_known_by_their_names() -> None:
    environ = {
        "ACME_API_KEY": "one",
        "MODELSCAN_API_KEYS_ACME": "two, three",
        "GITHUB_TOKEN": "four",
        "DB_PASSWORD": "five",
        "HOME": "/home/me",
        "MONKEY": "banana",
        "EMPTY_KEY": "",
    }
    assert set(secrets_of(environ)) == {"one", "two, three", "two", "three", "four", "five"}


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=6), min_size=1, max_size=5), st.data())
def test_no_secret_that_was_learnt_stands_in_what_comes_out(secrets: list[str], data: st.DataObject) -> None:
    learnt = Redactor()
    learnt.learn(*secrets[1:])
    learnt.learn(secrets[0])
    pieces = st.lists(st.sampled_from([*secrets, " ", "x"]), max_size=8)
    text = "".join(data.draw(pieces))
    shown = learnt(text).replace(REDACTED, "")
    assert [secret for secret in secrets if secret in text and secret in shown] == []


def test_the_values_and_the_names_within_json_are_redacted() -> None:
    learnt = Redactor("sk-known-1")
    said = {"sk-known-1": ["a sk-known-1", 1, None, {"x": ("sk-known-1", True)}]}
    assert learnt.within(said) == {REDACTED: [f"a {REDACTED}", 1, None, {"x": (REDACTED, True)}]}


def test_a_secret_is_found_as_a_url_writes_it() -> None:
    assert "a%2Fb%2Bc" not in Redactor("key-a/b+c=")("https://host/v1?key=key-a%2Fb%2Bc%3D")


def test_an_error_holds_no_secret_whatever_it_quotes() -> None:
    key = "sk-proj-abcdefghij0123456789ABCDEFGHIJ"
    error = ModelScanError(f"wrong {key}", hint=f"not {key}", quoted=[{"it": key}])
    assert key not in f"{error}{error!r}{error.args}{error.fields}{vars(error)}"
    assert (error.message, error.fields) == (f"wrong {REDACTED}", {"quoted": [{"it": REDACTED}]})


@pytest.mark.parametrize("typed", ["sk-proj-abcdefghij0123456789ABCDEFGHIJ", "acme/hf_abcdefghijABCDEFGHIJabcdefghij"])
def test_a_key_that_was_typed_as_a_model_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(InvalidIdentifier, match="a key stands in it") as refused:
        Identifier.parse(typed)
    assert typed not in f"{refused.value}{refused.value.fields}"
