import json

import pytest
from pydantic import SecretStr

from modelscan.synthesis.redaction import REDACTED, redaction_of, secrets_of


def test_every_known_secret_is_taken_out_the_longest_first() -> None:
    redact = redaction_of([SecretStr("canary-1"), "canary-1-and-more", "", "ab"])
    assert redact("x canary-1-and-more, canary-1; ab") == f"x {REDACTED}, {REDACTED}; ab"


def test_a_secret_is_found_as_json_writes_it() -> None:
    secret = 'quo"te\\slash'
    assert json.dumps(secret)[1:-1] not in redaction_of([secret])(json.dumps({"a": secret}))


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdefghij0123456789ABCDEFGHIJ",
        "sk-ant-api03-abcdefghij0123456789ABCDEFGHIJ",
        "gsk_abcdefghij0123456789ABCDEFGHIJ",
        "AIzaSyA0123456789abcdefghijABCDEFGHIJ",
        "hf_abcdefghijABCDEFGHIJabcdefghij",
        "ghp_abcdefghijABCDEFGHIJabcdefghij",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghij",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_has_the_shape_of_a_key_is_taken_out_though_nobody_knows_it(key: str) -> None:
    redacted = redaction_of([])(f"before {key} after")
    assert redacted == f"before {REDACTED} after"


def test_a_bearer_token_and_a_password_in_a_url_are_taken_out() -> None:
    redact = redaction_of([])
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
    assert redaction_of([])(text) == text


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
