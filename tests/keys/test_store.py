"""Keys from config, environment and API, stored and loaded again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog import keys as table
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate, shipped_migrations
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration, InvalidIdentifier, InvalidInput, KeyLimitReached, KeyNotFound
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


@pytest.mark.parametrize("reason", ["operator", "refused"])
def test_what_the_operator_or_the_provider_disabled_stays_so_at_the_next_start(database: Database, reason: str) -> None:
    imported(database, {}, "sk-config")
    (key,) = table.list_keys(database)
    table.change(database, key, state="disabled", disabled_for=reason)
    assert imported(database, {}) == imported(database, {}, "sk-config") == [("config", "disabled")]
    assert store.add_key(database, CUSTODY, "acme", SecretStr("sk-config")).state == "active"
    assert imported(database, {}, "sk-config") == [("api", "active")]


def test_a_key_that_is_given_again_keeps_limits_and_label_and_loses_its_rest(database: Database) -> None:
    key = store.add_key(database, CUSTODY, "acme", SecretStr("sk-mine"), label="main")
    table.change(database, key, rpm=7, rests_until=datetime(2030, 1, 1, tzinfo=UTC), fault_status=429)
    again = store.add_key(database, CUSTODY, "acme", SecretStr("sk-mine"))
    assert (again.label, again.rpm, again.rests_until, again.fault_status) == ("main", 7, None, 429)
    assert store.add_key(database, CUSTODY, "acme", SecretStr("sk-mine"), label="other").label == "other"
    assert table.list_keys(database) == (again.model_copy(update={"label": "other"}),)


def test_a_key_is_found_by_its_id_the_beginning_of_it_or_its_label(database: Database) -> None:
    one = store.add_key(database, CUSTODY, "acme", SecretStr("sk-one"), label="main")
    two = store.add_key(database, CUSTODY, "acme", SecretStr("sk-two"))
    assert [table.find(database, "acme", name) for name in (one.id, one.id[:6], "main")] == [one] * 3
    assert table.find(database, "acme", two.id[:6]) == two
    for name in ("", "another", "MAIN"):
        with pytest.raises(KeyNotFound, match="has no key"):
            table.find(database, "acme", name)
    with pytest.raises(KeyNotFound):
        table.find(database, "other", one.id)
    table.change(database, two, label="main")
    with pytest.raises(InvalidInput, match="2 keys of acme are meant"):
        table.find(database, "acme", "main")


def test_a_key_takes_the_place_of_another_with_its_limits_also_as_the_100th(database: Database) -> None:
    keys = [store.add_key(database, CUSTODY, "acme", SecretStr(f"sk-{number}")) for number in range(table.MAX_KEYS)]
    before = table.change(database, keys[7], label="main", rpm=5, tpm=6, daily=7)
    fresh = store.rotate_key(database, CUSTODY, before, SecretStr(" sk-fresh\n"))
    assert (fresh.label, fresh.rpm, fresh.tpm, fresh.daily, fresh.origin) == ("main", 5, 6, 7, "api")
    assert store.opened(database, CUSTODY, fresh).get_secret_value() == "sk-fresh"
    assert {key.id for key in table.list_keys(database)} == {key.id for key in keys} - {before.id} | {fresh.id}
    with pytest.raises(KeyNotFound, match="any more"):
        store.rotate_key(database, CUSTODY, before, SecretStr("sk-another"))
    with pytest.raises(InvalidInput, match="this key already"):
        store.rotate_key(database, CUSTODY, fresh, SecretStr("sk-8"))
    with pytest.raises(InvalidInput, match="printable ASCII"):
        store.rotate_key(database, CUSTODY, fresh, SecretStr("two words"))
    off = table.change(database, fresh, state="disabled", disabled_for="operator")
    store.add_key(database, CUSTODY, "acme", SecretStr("sk-in-its-place"))
    with pytest.raises(KeyLimitReached):
        store.rotate_key(database, CUSTODY, off, SecretStr("sk-another"))
    with pytest.raises(KeyLimitReached):
        table.change(database, off, state="active")


def test_a_key_is_deleted_unless_it_would_come_back(database: Database) -> None:
    mine = store.add_key(database, CUSTODY, "acme", SecretStr("sk-mine"))
    store.delete_key(database, mine)
    assert table.list_keys(database) == ()
    for gone in (lambda: table.ciphertext_of(database, mine), lambda: table.change(database, mine, rpm=1)):
        with pytest.raises(KeyNotFound, match="any more"):
            gone()
    imported(database, {"ACME_KEY": "sk-env"})
    with pytest.raises(InvalidInput, match="comes from the environment: deleted here, it would come back"):
        store.delete_key(database, table.list_keys(database)[0])
    imported(database, {})
    store.delete_key(database, table.list_keys(database)[0])
    assert table.list_keys(database) == ()


def test_how_keys_stand_is_kept_for_those_that_are_active(database: Database) -> None:
    names = ("sk-resting", "sk-refused", "sk-off")
    keys = [store.add_key(database, CUSTODY, "acme", SecretStr(name)) for name in names]
    off = table.change(database, keys[2], state="disabled", disabled_for="operator")
    at, until = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC)
    standings = [table.KeyStanding("acme", key.id, key == keys[1], 429, at, until) for key in keys]
    table.save_standings(database, [*standings, standings[0]._replace(key_id="gone")])
    found = {key.id: key for key in table.list_keys(database)}
    assert (found[keys[0].id].state, found[keys[0].id].rests_until) == ("active", until)
    assert (found[keys[1].id].state, found[keys[1].id].disabled_for) == ("disabled", "refused")
    assert found[off.id] == off


def test_what_the_rows_count_of_a_key_is_found_by_minute_and_day(database: Database) -> None:
    noon = datetime(2026, 11, 27, 12, tzinfo=UTC)
    minutes_and_statuses = ((0, 200), (0.5, 502), (-1, 200), (-720, 200), (-721, 200), (0, 401), (0, 403), (0, 429))
    with database.write() as connection:
        for number, (minutes, status) in enumerate(minutes_and_statuses):
            at = noon + timedelta(minutes=minutes)
            values = f"'{number}' AS request_id, '{at}' AS at, 'm' AS asked_model, 'acme' AS provider, 'k' AS key_id"
            counts = f"{status} AS status, 7 AS prompt_tokens, 1 AS latency_ms, 1 AS generation"
            flags = "false AS stream, false AS cancelled"
            connection.execute(f"INSERT INTO usage_tracking BY NAME SELECT {values}, {counts}, {flags}")
    assert table.used_since(database, minute=noon, day=noon.replace(hour=0)) == {"acme": {"k": (2, 14, 4)}}


def test_the_migration_keeps_the_keys_that_are_there(tmp_path: Path) -> None:
    database, shipped = Database(tmp_path / "old.duckdb"), shipped_migrations()
    migrate(database, {name: sql for name, sql in shipped.items() if name < "0005"})
    values = "'acme', 'sk', 'x', NULL, 'config'"
    with database.write() as connection:
        connection.execute("INSERT INTO providers VALUES ('acme', 'Acme', 'candidate', NULL, NULL, NULL, now())")
        for state in ("active", "disabled"):
            connection.execute(f"INSERT INTO api_keys VALUES ('{state}', {values}, '{state}', now(), 3, 4, 'x')")
    migrate(database)
    found = {key.id: key for key in table.list_keys(database)}
    assert (found["active"].disabled_for, found["active"].requests, found["active"].label) == (None, 3, "")
    assert (found["disabled"].disabled_for, found["disabled"].tokens, found["disabled"].rpm) == ("absent", 4, None)
