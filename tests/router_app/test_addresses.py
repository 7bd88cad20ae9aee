import asyncio
from pathlib import Path

import pytest

from router_app import addresses
from router_app.addresses import Address, addressed
from tests.router_app.routers import eventually

ONE, OTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"


def named(folder: Path) -> str | None:
    path = folder / "router.url"
    return path.read_text().strip() if path.exists() else None


def test_a_router_is_found_while_it_runs(tmp_path: Path) -> None:
    address = Address(tmp_path, ONE)
    assert named(tmp_path) == ONE
    assert (tmp_path / "reference.url").read_text() == f"{ONE}/reference/v1\n"
    address.close()
    assert named(tmp_path) is None
    assert list((tmp_path / "routers").iterdir()) == []


def test_of_two_the_last_one_is_named_and_then_the_one_that_remains(tmp_path: Path) -> None:
    one, other = Address(tmp_path, ONE), Address(tmp_path, OTHER)
    one.look()
    assert named(tmp_path) == OTHER
    other.close()
    assert named(tmp_path) == ONE
    one.close()


def test_who_is_not_named_ends_without_a_change(tmp_path: Path) -> None:
    one, other = Address(tmp_path, ONE), Address(tmp_path, OTHER)
    one.close()
    assert named(tmp_path) == OTHER
    other.close()


@pytest.mark.parametrize("left", [OTHER, None])
def test_in_the_place_of_a_dead_one_a_living_one_is_named(
    tmp_path: Path, left: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_LOOK_SECONDS", 0.01)

    async def story() -> None:
        async with addressed(tmp_path, ONE):
            # As a killed one leaves it: nobody has the lock.
            (tmp_path / "routers" / "dead.url").write_text(f"{OTHER}\n")
            if left:
                (tmp_path / "router.url").write_text(f"{left}\n")
            else:
                (tmp_path / "router.url").unlink()
            await eventually(lambda: named(tmp_path) == ONE)
            assert not (tmp_path / "routers" / "dead.url").exists()

    asyncio.run(story())
    assert named(tmp_path) is None
