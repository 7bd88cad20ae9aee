from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog.database import Database
from modelscan.custody.keeping import kept_secret
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration
from tests.catalogues import migrate

CUSTODY = Custody(SecretStr("master"))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    return database


def test_a_secret_is_made_once_by_its_name(database: Database) -> None:
    kept = kept_secret(database, CUSTODY, "one")
    assert len(kept) == 32
    assert kept_secret(database, CUSTODY, "one") == kept
    assert kept_secret(database, CUSTODY, "two") != kept


def test_the_first_of_several_processes_says_what_it_is(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = kept_secret(database, CUSTODY, "one")
    monkeypatch.setattr("modelscan.catalog.sealed.get", lambda *_: None)
    assert kept_secret(database, CUSTODY, "one") == kept


def test_another_master_key_does_not_open_it(database: Database) -> None:
    kept_secret(database, CUSTODY, "one")
    with pytest.raises(InvalidConfiguration, match="does not open"):
        kept_secret(database, Custody(SecretStr("another")), "one")
