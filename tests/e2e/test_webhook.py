"""A letter that a killed router was sending comes after all, and one that was written while nobody was there."""

from pathlib import Path

from modelscan.catalog import drift, drift_outbox
from modelscan.catalog.database import Database
from modelscan.drift.letters import letters
from tests.drift.looks import change
from tests.drift.receiver import SECRET, receiving
from tests.e2e.routers import ALONE
from tests.e2e.service import Service, eventually


def test_what_a_killed_router_was_sending_is_sent_by_the_next_with_the_same_id(tmp_path: Path) -> None:
    with receiving() as receiver:
        env = {"MODELSCAN_DRIFT_WEBHOOK_URL": receiver.url, "MODELSCAN_DRIFT_WEBHOOK_SECRET": SECRET}
        service = Service(tmp_path, env, ALONE)
        receiver.between = service.kill  # Before it is answered: whether it was taken, nobody knows.
        database = Database(tmp_path / "data" / "modelscan.duckdb")
        service.start()
        eventually(lambda: service.health()["parts"].get("catalogue", {}).get("state") == "up", what="the catalogue")
        drift.take_up(database, [change()], letters)
        eventually(lambda: service.process and service.process.poll() is not None, what="the kill")
        receiver.between = lambda: None
        drift.take_up(database, [change(provider="bolt")], letters)
        with database.write() as connection:  # As if its lease, a minute, were over.
            connection.execute("UPDATE drift_outbox SET next_at = created_at WHERE state = 'waiting'")
        service.start()
        try:
            eventually(lambda: drift_outbox.counts(database) == {"sent": 2}, what="both letters")
        finally:
            service.stop()
        assert [one["data"]["provider"] for one in receiver.told].count("acme") == 2
        assert len(receiver.ids) == 3
        assert len(set(receiver.ids)) == 2
