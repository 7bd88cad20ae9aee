"""The operator's door: one SELECT over views without secrets, and no way to anything else."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog import rollups
from modelscan.catalog.database import Database
from modelscan.catalog.door import VIEWS, ask
from modelscan.custody.sealing import Custody
from modelscan.errors import CatalogError, InvalidInput
from modelscan.keys.store import add_key
from tests.attacks.table import Attack, attacks
from tests.catalog.usage_rows import an_event, take_in

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)


@pytest.fixture
def filled(database: Database) -> Database:
    """With usage, and a key."""
    add_key(database, Custody(SecretStr("m")), "acme", SecretStr("sk-canary-0123456789"))
    take_in(database, *(an_event(NOW, prompt_tokens=n) for n in range(5)))
    rollups.roll(database)
    return database


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_can_be_asked_and_described(filled: Database, view: str) -> None:
    found, more = ask(filled, f"SELECT * FROM {view}")
    assert found.names
    assert not more
    assert [row[0] for row in ask(filled, f"DESCRIBE {view}")[0].values] == list(found.names)
    assert not {"ciphertext", "hash", "sha256"} & set(found.names) - ({"sha256"} if view == "clients" else set())


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT sum(prompt_tokens)::BIGINT FROM usage", [(10,)]),
        ("FROM usage SELECT count(*) WHERE prompt_tokens > (SELECT avg(prompt_tokens) FROM usage)", [(2,)]),
        ("WITH few AS (SELECT * FROM USAGE LIMIT 2) SELECT count(*) FROM few JOIN few AS other ON true", [(4,)]),
        ("SELECT x FROM range(3) AS t(x) WHERE x > 1", [(2,)]),
        ("SELECT requests FROM usage_by_hour UNION ALL SELECT requests FROM usage_by_day", [(5,), (5,)]),
        ("SELECT prefix IS NOT NULL FROM keys", [(True,)]),
        ("VALUES ('usage'), (';')", [("usage",), (";",)]),
    ],
)
def test_what_can_be_asked(filled: Database, sql: str, values: list[object]) -> None:
    assert ask(filled, sql)[0].values == values


@attacks(
    Attack("a file", "SELECT * FROM read_csv('/etc/passwd')"),
    Attack("a file by its name", "SELECT * FROM '/etc/passwd'"),
    Attack("a file's text", "SELECT * FROM read_text('/etc/passwd')"),
    Attack("files of a folder", "SELECT * FROM glob('/etc/*')"),
    Attack("a copy", "COPY (SELECT 1) TO '/tmp/stolen.csv'"),
    Attack("a copy of all", "EXPORT DATABASE '/tmp/stolen'"),
    Attack("another database", "ATTACH '/tmp/other.duckdb'"),
    Attack("this one, to write", "ATTACH 'catalogue.duckdb' AS again (READ_WRITE)"),
    Attack("an extension", "INSTALL httpfs"),
    Attack("an extension that is there", "LOAD json"),
    Attack("a pragma", "PRAGMA database_list"),
    Attack("a setting", "SET enable_external_access = true"),
    Attack("a setting's end", "RESET lock_configuration"),
    Attack("the environment", "SELECT getenv('MODELSCAN_MASTER_KEY')"),
    Attack("what is set", "SELECT current_setting('temp_directory')"),
    Attack("all settings", "SELECT * FROM duckdb_settings()"),
    Attack("secrets of DuckDB", "SELECT * FROM duckdb_secrets()"),
    Attack("two statements", "SELECT 1; SELECT 2"),
    Attack("a second that writes", "SELECT 1; DELETE FROM usage"),
    Attack("nothing", " "),
    Attack("no SQL", "what was used?"),
    Attack("a row", "INSERT INTO usage VALUES (1)"),
    Attack("a row's change", "UPDATE catalogue.main.usage_tracking SET status = 200"),
    Attack("a row's end", "DELETE FROM catalogue.usage_tracking"),
    Attack("a table", "CREATE TABLE mine AS SELECT 1"),
    Attack("a table's end", "DROP VIEW usage"),
    Attack("a ciphertext", "SELECT ciphertext FROM catalogue.main.api_keys"),
    Attack("a ciphertext without the schema", "SELECT ciphertext FROM catalogue.api_keys"),
    Attack("a ciphertext without anything", "SELECT ciphertext FROM api_keys"),
    Attack("a ciphertext of the view", "SELECT ciphertext FROM keys"),
    Attack("a token's hash", "SELECT hash FROM tokens"),
    Attack("tokens themselves", 'SELECT * FROM "catalogue"."main"."client_tokens"'),
    Attack("sealed secrets", "FROM usage, catalogue.sealed_secrets"),
    Attack("a secret in a condition", "SELECT 1 WHERE EXISTS (FROM catalogue.api_keys)"),
    Attack("a secret in a list", "SELECT list_transform([1], x -> (SELECT max(ciphertext) FROM catalogue.api_keys))"),
    Attack("a secret behind a name", "WITH api_keys AS (SELECT 1) SELECT * FROM catalogue.api_keys"),
    Attack("a query in a text", "SELECT * FROM query('SELECT * FROM catalogue.api_keys')"),
    Attack("a table's name in a text", "SELECT * FROM query_table('catalogue.api_keys')"),
    Attack("the list of tables", "SELECT * FROM sqlite_master"),
    Attack("the list of columns", "SELECT * FROM information_schema.columns"),
    Attack("all tables", "SHOW ALL TABLES"),
    Attack("a plan", "EXPLAIN ANALYZE SELECT 1"),
    Attack("a call", "CALL pragma_version()"),
    Attack("a prepared one", "PREPARE p AS SELECT 1"),
    Attack("a variable of Python", "SELECT * FROM filled"),
    Attack("a checkpoint", "FORCE CHECKPOINT catalogue"),
    Attack("far too much", f"SELECT '{'x' * 200_000}'"),
)
def test_nothing_else_can_be_asked(filled: Database, attack: Attack) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask(filled, attack.hostile)
    assert "canary" not in str(caught.value)
    assert ask(filled, "SELECT count(*) FROM usage")[0].values == [(5,)]


def test_a_key_is_in_no_view(filled: Database) -> None:
    told = [str(ask(filled, f"SELECT * FROM {view}")[0].values) for view in VIEWS]
    assert not [one for one in told if "canary" in one]


def test_rows_are_limited_and_more_are_told(filled: Database) -> None:
    found, more = ask(filled, "SELECT * FROM range(10)", rows=3)
    assert (len(found.values), more) == (3, True)
    found, more = ask(filled, "SELECT * FROM range(3)", rows=3)
    assert (len(found.values), more) == (3, False)


def test_what_takes_too_long_is_broken_off(filled: Database) -> None:
    began = time.monotonic()
    with pytest.raises(InvalidInput, match=r"longer than 0\.2 s"):
        ask(
            filled,
            "SELECT count(*) FROM range(10000000) a, range(100000) b WHERE a.range < b.range * 3",
            seconds=0.2,
        )
    assert time.monotonic() - began < 10


def test_what_takes_too_much_memory_is_refused(filled: Database) -> None:
    with pytest.raises(InvalidInput, match="emory"):
        ask(filled, "SELECT list(range) FROM range(300000000)", seconds=60)


def test_writers_go_on_after_a_question(filled: Database) -> None:
    ask(filled, "SELECT 1")
    assert take_in(filled, an_event(NOW)) == 1


def test_without_a_catalogue_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(CatalogError):
        ask(Database(tmp_path / "none.duckdb"), "SELECT 1")
