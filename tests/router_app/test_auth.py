"""The admin token: the operator's, else one that is made once and kept for its owner."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from router_app.auth import _first, admin_token


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


def test_routers_that_start_at_once_open_with_one_token(tmp_path: Path) -> None:
    def started(number: int) -> str:
        token = tmp_path / "admin.token"
        fresh = tmp_path / f"{number}.new"
        fresh.write_text(f"token-of-{number}")
        return _first(fresh, token)

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(started, range(8)))
    assert tokens == {(tmp_path / "admin.token").read_text()}
