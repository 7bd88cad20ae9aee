"""Parts keep the time of their state."""

from datetime import UTC, datetime, timedelta

from router_app.parts import Parts


def test_a_state_that_is_seen_again_keeps_its_time() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    times = iter(now + timedelta(seconds=number) for number in range(9))
    parts = Parts(lambda: next(times))
    for state, detail in (("starting", ""), ("up", ""), ("up", "still"), ("down", "gone")):
        parts.set("runner", state, detail)  # type: ignore[arg-type]  # a literal of the table above
    assert parts.state("runner") == "down"
    assert parts.state("nothing") is None
    assert parts.snapshot() == {
        "runner": {
            "state": "down",
            "detail": "gone",
            "since": (now + timedelta(seconds=2)).isoformat().replace("+00:00", "Z"),
        }
    }
