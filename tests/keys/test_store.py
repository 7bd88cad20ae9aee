"""Keys from config, environment and API, stored and loaded again."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog import keys as table
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration, InvalidIdentifier, InvalidInput, KeyLimitReached
from modelscan.keys import store

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


def test_a_full_set_of_keys_may_be_replaced_by_another(database: Database) -> None:
    first = [f"sk-first-{number:03d}" for number in range(table.MAX_KEYS)]
    second = [f"sk-second-{number:03d}" for number in range(table.MAX_KEYS)]
    assert imported(database, {}, *first) == [("config", "active")] * table.MAX_KEYS
    assert imported(database, {}, *second).count(("config", "active")) == table.MAX_KEYS
    assert {usable.secret.get_secret_value() for usable in store.load(database, CUSTODY)["acme"]} == set(second)


def test_one_too_many_is_refused_and_the_others_are_in_use(database: Database) -> None:
    keys = [f"sk-{number:03d}" for number in range(table.MAX_KEYS + 1)]
    with pytest.raises(InvalidConfiguration, match="100 keys, the most"):
        imported(database, {}, *keys)
    assert len(store.load(database, CUSTODY)["acme"]) == table.MAX_KEYS
    with pytest.raises(KeyLimitReached):
        store.add_key(database, CUSTODY, "acme", SecretStr("sk-another"))
    assert store.add_key(database, CUSTODY, "acme", SecretStr(keys[0])).state == "active"


def test_what_cannot_be_taken_is_told_without_the_key_and_the_rest_is(database: Database) -> None:
    with pytest.raises(InvalidConfiguration, match="A key of acme from the environment was passed over") as refused:
        imported(database, {"ACME_KEY": "sk canary"}, "sk-good")
    assert "canary" not in str(refused.value)
    assert [one.secret.get_secret_value() for one in store.load(database, CUSTODY)["acme"]] == ["sk-good"]


def test_spaces_around_a_key_are_forgiven_and_a_model_is_no_provider(database: Database) -> None:
    added = store.add_key(database, CUSTODY, "Acme", SecretStr(" sk-pasted\n"))
    assert added.provider == "acme"
    assert store.load(database, CUSTODY)["acme"][0].secret.get_secret_value() == "sk-pasted"
    with pytest.raises(InvalidIdentifier, match="is not a provider"):
        store.add_key(database, CUSTODY, "acme/small", SecretStr("sk-pasted"))


def test_a_key_sealed_by_another_master_is_left_out_and_logged(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    store.add_key(database, Custody(SecretStr("another")), "acme", SecretStr("sk-canary-0123456789-abcdefghijkl"))
    store.add_key(database, CUSTODY, "acme", SecretStr("sk-mine"))
    assert [one.secret.get_secret_value() for one in store.load(database, CUSTODY)["acme"]] == ["sk-mine"]
    assert "of acme is not used" in caplog.text
    assert "sk-canary-0123456789" not in caplog.text


def test_a_key_that_was_added_by_hand_stays_one_where_the_environment_has_it_too(database: Database) -> None:
    store.add_key(database, CUSTODY, "acme", SecretStr("sk-mine"))
    imported(database, {"ACME_KEY": "sk-mine"})
    assert imported(database, {}) == [("api", "active")]


def test_a_key_for_one_server_is_sent_to_no_other(database: Database) -> None:
    store.add_key(database, CUSTODY, "local", SecretStr("sk-first"), host="127.0.0.1:9001")
    store.add_key(database, CUSTODY, "local", SecretStr("sk-second"), host="127.0.0.1:9002")
    store.add_key(database, CUSTODY, "local", SecretStr("sk-any"))
    keys = store.load(database, CUSTODY)["local"]

    def sent_to(host: str | None) -> set[str]:
        return {usable.secret.get_secret_value() for usable in store.sendable(keys, host)}

    assert sent_to("127.0.0.1:9001") == {"sk-first", "sk-any"}
    assert sent_to("127.0.0.1:9002") == {"sk-second", "sk-any"}
    assert sent_to(None) == {"sk-any"}


def test_a_key_given_again_for_another_server_is_that_servers(database: Database) -> None:
    store.add_key(database, CUSTODY, "local", SecretStr("sk-one"), host="127.0.0.1:9001")
    store.add_key(database, CUSTODY, "local", SecretStr("sk-one"), host="127.0.0.1:9002")
    (usable,) = store.load(database, CUSTODY)["local"]
    assert usable.key.host == "127.0.0.1:9002"
