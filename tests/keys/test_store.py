"""Keys from config, environment and API, stored and loaded again."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog import keys as table
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.errors import InvalidInput
from modelscan.keys import store
from modelscan.keys.custody import Custody

CUSTODY = Custody(SecretStr("master"))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    return database


def imported(database: Database, environ: dict[str, str], *config: str) -> list[tuple[str, str]]:
    store.import_operator_keys(
        database,
        CUSTODY,
        config={"acme": [SecretStr(text) for text in config]},
        variables={"acme": ("ACME_API_KEY", "ACME_KEY")},
        environ=environ,
    )
    return sorted((key.origin, key.state) for key in table.list_keys(database))


def test_a_key_survives_and_opens_again(database: Database) -> None:
    added = store.add_key(database, CUSTODY, "acme", SecretStr("sk-0123456789"))
    (usable,) = store.load(database, CUSTODY)["acme"]
    assert usable.key == added
    assert usable.secret.get_secret_value() == "sk-0123456789"
    assert "sk-0123456789" not in repr(usable)


@pytest.mark.parametrize("text", ["", "two words", "line\nbreak", "schlüssel", "\x00"])
def test_what_cannot_be_a_key_is_refused(database: Database, text: str) -> None:
    with pytest.raises(InvalidInput, match="printable ASCII"):
        store.add_key(database, CUSTODY, "acme", SecretStr(text))


def test_operator_keys_come_and_go_with_config_and_environment(database: Database) -> None:
    assert imported(database, {"ACME_API_KEY": "sk-env"}, "sk-config") == [
        ("config", "active"),
        ("environment", "active"),
    ]
    assert imported(database, {}, "sk-config") == [("config", "active"), ("environment", "disabled")]
    assert imported(database, {"ACME_KEY": "sk-env"}) == [("config", "disabled"), ("environment", "active")]


def test_a_key_that_was_added_by_hand_stays(database: Database) -> None:
    store.add_key(database, CUSTODY, "acme", SecretStr("sk-mine"))
    assert imported(database, {}) == [("api", "active")]
