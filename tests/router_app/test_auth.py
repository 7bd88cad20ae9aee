"""The admin token: the operator's, else one that is made once and kept for its owner."""

from pathlib import Path

import pytest

from router_app.auth import admin_token


def test_the_environment_wins_and_leaves_no_file(tmp_path: Path) -> None:
    assert admin_token(tmp_path, {"MODELSCAN_ADMIN_TOKEN": " given "}) == "given"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("environ", [{}, {"MODELSCAN_ADMIN_TOKEN": " "}])
def test_one_is_made_for_its_owner_alone_and_kept(tmp_path: Path, environ: dict[str, str]) -> None:
    token = admin_token(tmp_path, environ)
    assert len(token) >= 32
    assert (tmp_path / "admin.token").stat().st_mode & 0o777 == 0o600
    assert admin_token(tmp_path, environ) == token
    assert [path.name for path in tmp_path.iterdir()] == ["admin.token"]


def test_an_empty_file_is_no_token(tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text("\n")
    assert len(admin_token(tmp_path, {})) >= 32
