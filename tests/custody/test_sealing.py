import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from modelscan.custody.master import Masters, made_master
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration


@given(st.text(min_size=1), st.text())
def test_what_is_sealed_opens_again_and_shows_nothing(text: str, provider: str) -> None:
    text = text.encode("utf-8", "ignore").decode() or "x"
    provider = provider.encode("utf-8", "ignore").decode()
    custody = Custody(SecretStr("master"))
    sealed = custody.seal(SecretStr(text), provider)
    assert custody.open(sealed, provider).get_secret_value() == text
    assert len(text) < 4 or text.encode() not in sealed


def test_another_provider_or_another_master_key_does_not_open_it() -> None:
    sealed = Custody(SecretStr("master")).seal(SecretStr("sk-secret"), "acme")
    with pytest.raises(InvalidConfiguration, match="does not open"):
        Custody(SecretStr("master")).open(sealed, "other")
    with pytest.raises(InvalidConfiguration, match="master key"):
        Custody(SecretStr("another")).open(sealed, "acme")


@given(st.data())
def test_a_ciphertext_that_was_changed_in_any_bit_does_not_open(data: st.DataObject) -> None:
    custody = Custody(SecretStr("master"))
    sealed = bytearray(custody.seal(SecretStr("sk-secret"), "acme"))
    bit = data.draw(st.integers(min_value=0, max_value=len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidConfiguration, match="does not open"):
        custody.open(bytes(sealed), "acme")


@given(st.binary(max_size=80))
def test_bytes_that_were_never_sealed_do_not_open(sealed: bytes) -> None:
    with pytest.raises(InvalidConfiguration, match="does not open"):
        Custody(SecretStr("master")).open(sealed, "acme")


def test_all_master_keys_open_and_the_first_one_seals() -> None:
    old, new = Custody(SecretStr("old")), Custody(SecretStr("new"))
    both = Custody(SecretStr("new"), SecretStr("old"))
    assert both.open(old.seal(SecretStr("x"), "acme"), "acme").get_secret_value() == "x"
    assert new.open(both.seal(SecretStr("y"), "acme"), "acme").get_secret_value() == "y"
    assert (both.id, len(both.id)) == (new.id, 16)
    assert old.id != new.id


def test_what_was_sealed_before_ciphertexts_named_their_key_opens() -> None:
    derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"modelscan api keys").derive(b"master")
    nonce = os.urandom(12)
    sealed = nonce + AESGCM(derived).encrypt(nonce, b"sk-secret", b"acme")
    assert Custody(SecretStr("other"), SecretStr("master")).open(sealed, "acme").get_secret_value() == "sk-secret"


def test_a_process_that_runs_takes_the_master_key_that_another_one_wrote(tmp_path: Path) -> None:
    running, source, new = Custody.load(tmp_path, {}), Masters(tmp_path, {}), made_master()
    before = running.seal(SecretStr("x"), "acme")
    source.write((new,))
    sealed = Custody(new).seal(SecretStr("y"), "acme")
    assert running.open(sealed, "acme").get_secret_value() == "y"
    assert Custody(new).open(running.seal(SecretStr("z"), "acme"), "acme").get_secret_value() == "z"
    with pytest.raises(InvalidConfiguration, match="does not open"):
        running.open(before, "acme")
