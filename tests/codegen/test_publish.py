"""Files are replaced in one step, and never another provider's."""

import hashlib
import os
from pathlib import Path

import pytest

from modelscan.codegen.publish import publish_files
from modelscan.codegen.render import render_client
from modelscan.errors import GenerationRefused
from modelscan.types import ClientSpec
from tests.codegen.golden import RECORDS, SPECS

SPEC = SPECS[0]
SOURCE = render_client(SPEC, RECORDS)


def test_the_client_and_its_test_are_written_and_hashed(tmp_path: Path) -> None:
    files = publish_files(tmp_path / "new" / "folder", SPEC, SOURCE, "test")
    folder = tmp_path / "new" / "folder"
    assert (
        sorted(path.name for path in folder.iterdir()) == [files.path, files.test_path] == ["acme.py", "test_acme.py"]
    )
    assert hashlib.sha256((folder / files.path).read_bytes()).hexdigest() == files.sha256


def test_the_same_provider_may_be_written_again(tmp_path: Path) -> None:
    publish_files(tmp_path, SPEC, SOURCE, "one")
    publish_files(tmp_path, SPEC, SOURCE, "two")
    assert (tmp_path / "test_acme.py").read_text() == "two"


def test_another_providers_module_is_not_overwritten(tmp_path: Path) -> None:
    dashed, dotted = (ClientSpec(**{**dict(SPEC), "provider": name}) for name in ("ac-me", "ac.me"))
    publish_files(tmp_path, dashed, render_client(dashed, RECORDS), "")
    before = (tmp_path / "ac_me.py").read_bytes()
    with pytest.raises(GenerationRefused, match="is the client of ac-me") as refused:
        publish_files(tmp_path, dotted, render_client(dotted, RECORDS), "")
    assert refused.value.fields == {"provider": "ac.me", "owner": "ac-me"}
    assert (tmp_path / "ac_me.py").read_bytes() == before


def test_a_persons_own_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_text("print('mine')")
    with pytest.raises(GenerationRefused, match="no generated client"):
        publish_files(tmp_path, SPEC, SOURCE, "")
    assert (tmp_path / "acme.py").read_text() == "print('mine')"


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    folder = tmp_path / "generated"
    folder.mkdir()
    (folder / "acme.py").symlink_to(outside)
    with pytest.raises(GenerationRefused, match="is a link"):
        publish_files(folder, SPEC, SOURCE, "")
    assert outside.read_text() == "kept"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_files(tmp_path, SPEC, SOURCE, "one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        publish_files(tmp_path, SPEC, SOURCE, "two")
    assert (tmp_path / "test_acme.py").read_text() == "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme.py", "test_acme.py"]
