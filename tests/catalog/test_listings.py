from datetime import timedelta

from modelscan.catalog import listings, records
from modelscan.catalog.database import Database
from tests.catalog.samples import record
from tests.rediscovery.listed import AT, listing, models_dev


def test_the_newest_list_of_a_source_is_kept_whole(database: Database) -> None:
    first = listing("models.dev", models_dev())
    second = listing("models.dev", {}, AT + timedelta(hours=1)).model_copy(update={"etag": '"2"'})
    assert listings.kept(database, "models.dev", first.url) is None
    listings.keep(database, first)
    assert listings.kept(database, "models.dev", first.url) == first
    listings.keep(database, second)
    assert listings.kept(database, "models.dev", first.url) == second


def test_a_list_of_another_address_is_not_the_one_that_is_kept(database: Database) -> None:
    listings.keep(database, listing("models.dev", {}))
    assert listings.kept(database, "models.dev", "https://elsewhere.example") is None
    assert listings.kept(database, "genai-prices", "https://models.dev/api.json") is None


def test_records_that_a_source_confirms_are_of_now_and_never_of_before(database: Database) -> None:
    kept = record(fetched_at=AT, sha256="old", stale=True)
    other = record({"name": "Other"}, subject="other", fetched_at=AT)
    records.save(database, [kept, other])
    with database.write() as connection:
        listings.touch_records(connection, [kept.id], AT + timedelta(days=1), "new")
        listings.touch_records(connection, [kept.id], AT, "older")
    found = records.get_record(database, kept.id)
    assert found
    assert (found.fetched_at, found.sha256, found.stale) == (AT + timedelta(days=1), "new", False)
    assert records.get_record(database, other.id) == other
