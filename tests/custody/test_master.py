import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.custody.master import Masters, made_master
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration


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


@pytest.mark.parametrize(
    ("text", "characters"), [("short", 5), ("", 0), (f"{'x' * 43}\nhalf", 4)], ids=["half", "empty", "half a second"]
)
def test_half_a_master_key_is_told_and_not_used(tmp_path: Path, text: str, characters: int) -> None:
    file = tmp_path / "master.key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(InvalidConfiguration, match=f"is not whole: {characters} characters"):
        Custody.load(tmp_path, {})
    assert file.read_text() == text


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644, 0o601])
def test_a_master_key_that_others_could_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    Custody.load(tmp_path, {})
    (tmp_path / "master.key").chmod(mode)
    with pytest.raises(InvalidConfiguration, match=f"mode 0{mode:o}") as refused:
        Custody.load(tmp_path, {})
    assert "chmod 600" in refused.value.hint


def test_several_are_written_in_one_step_and_read_in_their_order(tmp_path: Path) -> None:
    masters = Masters(tmp_path, {})
    (first,) = masters.read()
    before, more = masters.stamp(), made_master()
    masters.write((first, more))
    assert masters.read() == (first, more)
    assert masters.stamp() != before
    assert masters.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_no_master_key_stands_in_a_representation(tmp_path: Path) -> None:
    masters = Masters(tmp_path, {"MODELSCAN_MASTER_KEY": "canary-master"})
    assert "canary-master" not in f"{masters!r}{vars(masters)}{masters.read()!r}{Custody(*masters.read())!r}"
