"""The signature is checked with the specification's own example, and by OpenSSL, which shares no line with ours."""

import base64
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from modelscan.drift.signing import SECRET_FILE, secret_of, signed
from modelscan.errors import InvalidConfiguration
from modelscan.redaction import REDACTED, redact
from tests.drift.receiver import verified

GIVEN = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_the_example_of_the_specification_comes_out() -> None:
    headers = signed(GIVEN, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_openssl_says_the_same(tmp_path: Path) -> None:
    body = '{"é": "\u2028"}'.encode()
    key = base64.b64decode(GIVEN.get_secret_value().removeprefix("whsec_")).hex()
    said = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key}", "-binary"],
        input=b"msg_1.17." + body, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert signed(GIVEN, "msg_1", 17, body)["webhook-signature"] == f"v1,{base64.b64encode(said).decode()}"


@given(st.binary(max_size=64), st.integers(0, 2**40))
def test_a_receiver_that_knows_the_secret_takes_it_and_no_other_body_or_time(body: bytes, seconds: int) -> None:
    headers = signed(GIVEN, "msg_1", seconds, body)
    assert verified(GIVEN.get_secret_value(), headers, body)
    assert not verified(GIVEN.get_secret_value(), headers, body + b" ")
    assert not verified(GIVEN.get_secret_value(), {**headers, "webhook-timestamp": str(seconds + 1)}, body)
    assert not verified("whsec_" + "A" * 32, headers, body)


def test_without_a_secret_one_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    made = secret_of(tmp_path, SecretStr(""))
    assert secret_of(tmp_path, SecretStr("")) == made
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [SECRET_FILE]
    assert redact(f"it is {made.get_secret_value()}") == f"it is {REDACTED}"


def test_the_first_of_several_who_make_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / SECRET_FILE
    kept.write_text(GIVEN.get_secret_value())
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert secret_of(tmp_path, SecretStr("")) == GIVEN
    assert [one.name for one in tmp_path.iterdir()] == [SECRET_FILE]


def test_a_given_secret_is_used_and_leaves_no_file(tmp_path: Path) -> None:
    assert secret_of(tmp_path, GIVEN) == GIVEN
    assert list(tmp_path.iterdir()) == []


NO_PREFIX = GIVEN.get_secret_value().removeprefix("whsec_")


@pytest.mark.parametrize("text", ["hunter2", "whsec_", "whsec_short", "whsec_%%%%", "whsec_" + "A" * 100, NO_PREFIX])
def test_what_is_no_secret_of_a_webhook_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        secret_of(tmp_path, SecretStr(text))
    assert text.removeprefix("whsec_") not in str(refused.value) or text == "whsec_"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).mkdir()
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        secret_of(tmp_path, SecretStr(""))
