"""Two router processes under load while versions are activated, rolled back and tried: nobody notices."""

from pathlib import Path

from bench.versions import loaded, two_routers

REQUESTS = 400


def test_under_load_no_request_fails_and_both_routers_follow(tmp_path: Path) -> None:
    with two_routers(tmp_path) as routers:
        load, _ = loaded(routers, REQUESTS)
        assert load.statuses == {200: load.done}
        assert set(load.versions) >= {"1", "2"}
        assert {"canary-promoted after", "canary-rolled-back after"} <= set(routers.seconds)
        assert len(load.generations) > 1
