"""Sealing and opening."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from modelscan.errors import InvalidConfiguration
from modelscan.keys.custody import Custody, describe


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


def test_the_master_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = Custody.load(tmp_path / "data", {}).seal(SecretStr("sk-secret"), "acme")
    assert Custody.load(tmp_path / "data", {}).open(sealed, "acme").get_secret_value() == "sk-secret"
    assert (tmp_path / "data" / "master.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["master.key"]


def test_several_that_start_at_once_agree_on_it(tmp_path: Path) -> None:
    made: list[Custody] = []
    threads = [threading.Thread(target=lambda: made.append(Custody.load(tmp_path, {}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = made[0].seal(SecretStr("x"), "acme")
    assert [custody.open(sealed, "acme").get_secret_value() for custody in made] == ["x"] * 8


def test_the_environment_names_it(tmp_path: Path) -> None:
    sealed = Custody.load(tmp_path, {"MODELSCAN_MASTER_KEY": "mine"}).seal(SecretStr("x"), "acme")
    assert Custody(SecretStr("mine")).open(sealed, "acme").get_secret_value() == "x"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "prefix"), [("abc", ""), ("abcdefgh", "ab"), ("sk-" + "x" * 60, "sk-xxxxx")])
def test_at_most_a_quarter_of_a_key_is_shown(text: str, prefix: str) -> None:
    described = describe(SecretStr(text), "acme", "api")
    assert described.prefix == prefix
    assert text not in repr(described) or len(text) < 4


def test_half_a_master_key_is_told_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text("short")
    with pytest.raises(InvalidConfiguration, match="is not whole: 5 characters"):
        Custody.load(tmp_path, {})
    assert (tmp_path / "master.key").read_text() == "short"
