"""Numbered migrations."""

import pytest

from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate, shipped_migrations
from modelscan.errors import MigrationError

SEED = {
    "providers", "model_families", "models", "api_keys", "usage_tracking", "discovery_logs", "sdk_versions", "settings",
}  # fmt: skip


def test_all_are_applied_once_and_recorded(database: Database) -> None:
    assert migrate(database) == ()
    with database.read() as connection:
        applied = [row[0] for row in connection.execute("SELECT name FROM schema_migrations ORDER BY name").fetchall()]
        tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert applied == list(shipped_migrations())
    assert tables >= SEED | {"source_records", "facts"}


def test_a_new_one_is_applied_to_what_is_there(database: Database) -> None:
    newer = {**shipped_migrations(), "9999_more": "CREATE TABLE more (id INTEGER)"}
    assert migrate(database, newer) == ("9999_more",)


def test_an_edited_one_is_refused(database: Database) -> None:
    edited = {name: sql + "-- edited" for name, sql in shipped_migrations().items()}
    with pytest.raises(MigrationError, match=r"was edited.*new migration"):
        migrate(database, edited)


def test_an_unknown_newer_one_is_refused(database: Database) -> None:
    migrate(database, {**shipped_migrations(), "9999_more": "CREATE TABLE more (id INTEGER)"})
    with pytest.raises(MigrationError, match=r"newer ModelScan.*Update"):
        migrate(database)


def test_a_broken_one_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(Exception, match="Parser Error"):
        migrate(database, {**shipped_migrations(), "9999_bad": "CREATE TABLE bad (id INTEGER); NONSENSE"})
    assert migrate(database) == ()
