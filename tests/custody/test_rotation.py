"""Another master key: all of it or none, and nothing is lost wherever the process is killed."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog import sealed
from modelscan.catalog.database import Database
from modelscan.custody.keeping import kept_secret
from modelscan.custody.master import Masters, made_master
from modelscan.custody.rotation import resume, rotate_master
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidInput
from modelscan.keys import store
from tests.catalogues import migrate

KEYS = {"acme": ["sk-acme-0123456789", "sk-acme-9876543210"], "other": ["sk-other-0123456789"]}
OLD, NEW = "o" * 40, "n" * 40


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    return database


def filled(database: Database, masters: Masters) -> bytes:
    """Keys of two providers, and one kept secret, which is returned."""
    custody = Custody(*masters.read())
    for provider, texts in KEYS.items():
        for text in texts:
            store.add_key(database, custody, provider, SecretStr(text))
    return kept_secret(database, custody, "hash")


def opened(database: Database, custody: Custody) -> dict[str, list[str]]:
    return {
        provider: sorted(usable.secret.get_secret_value() for usable in usables)
        for provider, usables in store.load(database, custody).items()
    }


def test_a_made_key_takes_the_place_of_the_file_s_and_opens_everything(database: Database, tmp_path: Path) -> None:
    masters = Masters(tmp_path, {})
    secret = filled(database, masters)
    before = masters.read()
    done = rotate_master(database, masters)
    assert (done.resealed, done.unopened, done.in_environment) == (4, 0, False)
    assert len(masters.read()) == 1
    assert not set(masters.read()) & set(before)
    custody = Custody.load(tmp_path, {})
    assert opened(database, custody) == KEYS
    assert (custody.id, kept_secret(database, custody, "hash")) == (done.id, secret)
    assert opened(database, Custody(*before)) == {}


def test_the_environment_s_key_is_replaced_by_one_that_is_given(database: Database, tmp_path: Path) -> None:
    masters = Masters(tmp_path, {"MODELSCAN_MASTER_KEY": OLD})
    filled(database, masters)
    done = rotate_master(database, masters, SecretStr(f" {NEW}\n"))
    assert (done.resealed, done.in_environment) == (4, True)
    assert opened(database, Custody(SecretStr(NEW))) == KEYS
    assert opened(database, Custody(SecretStr(OLD))) == {}
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize("given", [None, "short", "with a space " * 5, "line\nbreak" * 5])
def test_without_a_key_that_can_be_one_the_environment_s_stays(
    database: Database, tmp_path: Path, given: str | None
) -> None:
    masters = Masters(tmp_path, {"MODELSCAN_MASTER_KEY": OLD})
    filled(database, masters)
    with pytest.raises(InvalidInput) as refused:
        rotate_master(database, masters, SecretStr(given) if given else None)
    assert given is None or given not in str(refused.value)
    assert opened(database, Custody(SecretStr(OLD))) == KEYS


def test_what_another_master_key_sealed_stays_as_it_was(database: Database, tmp_path: Path) -> None:
    masters, stranger = Masters(tmp_path, {}), Custody(SecretStr("stranger"))
    filled(database, masters)
    store.add_key(database, stranger, "acme", SecretStr("sk-of-a-stranger"))
    done = rotate_master(database, masters)
    assert (done.resealed, done.unopened) == (4, 1)
    assert opened(database, stranger) == {"acme": ["sk-of-a-stranger"]}


def test_a_process_that_runs_meanwhile_opens_all_of_it(database: Database, tmp_path: Path) -> None:
    running, masters = Custody.load(tmp_path, {}), Masters(tmp_path, {})
    secret = filled(database, masters)
    for _ in range(2):
        rotate_master(database, masters)
        assert opened(database, running) == KEYS
        assert kept_secret(database, running, "hash") == secret


class Killed(BaseException):
    """As SIGKILL ends a process, without a chance to tidy up."""


class Mortal(Masters):
    """Killed before it writes the master keys for the nth time."""

    def __init__(self, data_dir: Path, lives: int) -> None:
        super().__init__(data_dir, {})
        self.lives = lives

    def write(self, masters: object) -> None:
        if not self.lives:
            raise Killed
        self.lives -= 1
        super().write(masters)  # type: ignore[arg-type]  # as it came


class MortalDatabase(Database):
    """Killed within the transaction, once it has run so many statements."""

    def __init__(self, path: Path, lives: int) -> None:
        super().__init__(path)
        self.lives = lives

    def write(self) -> "Mortals":  # type: ignore[override]  # a context manager as well
        return Mortals(self)


class Mortals:
    def __init__(self, database: MortalDatabase) -> None:
        self._database = database
        self._whole = Database(database.path).write()

    def __enter__(self) -> "Mortals":
        self._connection = self._whole.__enter__()
        return self

    def __exit__(self, *told: object) -> None:
        self._whole.__exit__(*told)  # type: ignore[arg-type]  # as they came

    def execute(self, sql: str, parameters: object = ()) -> object:
        if not self._database.lives:
            raise Killed
        self._database.lives -= 1
        return self._connection.execute(sql, parameters)  # type: ignore[arg-type]  # as they came


@pytest.mark.parametrize("given", [None, NEW], ids=["a made key", "a given key"])
@pytest.mark.parametrize("step", range(9))
def test_killed_at_any_step_everything_opens_and_the_next_start_finishes_it(
    database: Database, tmp_path: Path, step: int, given: str | None
) -> None:
    """Before the first write of the file, at each of the transaction's statements, and before the last write."""
    masters = Masters(tmp_path, {})
    secret = filled(database, masters)
    mortal = Mortal(tmp_path, {0: 0, 8: 1}.get(step, 2))
    statements = MortalDatabase(database.path, step - 1 if 0 < step < 8 else 99)
    fresh = SecretStr(given) if given else None
    if step < 7 or step == 8:
        with pytest.raises(Killed):
            rotate_master(statements, mortal, fresh)
    else:
        rotate_master(statements, mortal, fresh)
    custody = Custody.load(tmp_path, {})
    assert opened(database, custody) == KEYS
    assert kept_secret(database, custody, "hash") == secret
    kept = masters.read()
    finished = resume(database, masters)
    assert (finished is not None) == (len(kept) == 2) == (0 < step < 7 or step == 8)
    assert masters.read() == kept[-1:]
    assert opened(database, Custody(*masters.read())) == KEYS
    assert kept_secret(database, Custody(*masters.read()), "hash") == secret


DYING = """
import os, sys
from pathlib import Path
from modelscan.catalog.database import Database
from modelscan.catalog.engine import LocalConnection
from modelscan.custody.master import Masters
from modelscan.custody.rotation import rotate_master
folder, moment = Path(sys.argv[1]), sys.argv[2]
write, execute = Masters.write, LocalConnection.execute
def writing(self, masters):
    if moment == f"write {len(masters)}":
        os.kill(os.getpid(), 9)
    write(self, masters)
def executing(self, sql, parameters=()):
    told = execute(self, sql, parameters) if moment != f"before {sql.split()[0]}" else os.kill(os.getpid(), 9)
    if moment == f"after {sql.split()[0]}":
        os.kill(os.getpid(), 9)
    return told
Masters.write, LocalConnection.execute = writing, executing
rotate_master(Database(folder / "catalogue.duckdb"), Masters(folder, {}))
"""


@pytest.mark.parametrize("moment", ["write 2", "after UPDATE", "before COMMIT", "after COMMIT", "write 1"])
def test_a_process_that_is_really_killed_loses_nothing(database: Database, tmp_path: Path, moment: str) -> None:
    masters = Masters(tmp_path, {})
    secret = filled(database, masters)
    died = subprocess.run([sys.executable, "-c", DYING, str(tmp_path), moment], check=False)
    assert died.returncode == -signal.SIGKILL
    custody = Custody.load(tmp_path, {})
    assert opened(database, custody) == KEYS
    assert kept_secret(database, custody, "hash") == secret
    resume(database, masters)
    assert len(masters.read()) == 1
    assert opened(database, Custody(*masters.read())) == KEYS


def test_a_rotation_after_one_that_was_killed_opens_everything(database: Database, tmp_path: Path) -> None:
    masters = Masters(tmp_path, {})
    filled(database, masters)
    for lives in (0, 1, 1):
        with pytest.raises(Killed):
            rotate_master(database, Mortal(tmp_path, lives))
    assert len(masters.read()) == 3
    rotate_master(database, masters)
    assert len(masters.read()) == 1
    assert opened(database, Custody(*masters.read())) == KEYS


def test_a_copy_of_the_database_yields_nothing_without_the_master_key(database: Database, tmp_path: Path) -> None:
    masters = Masters(tmp_path, {})
    secret = filled(database, masters)
    copied = tmp_path / "stolen" / "catalogue.duckdb"
    copied.parent.mkdir()
    shutil.copyfile(database.path, copied)
    held = copied.read_bytes()
    texts = [text for provider in KEYS.values() for text in provider]
    assert [text for text in texts if text.encode() in held] == []
    assert secret not in held
    for stranger in (Custody.load(copied.parent, {}), Custody(made_master()), Custody(SecretStr(""))):
        assert opened(Database(copied), stranger) == {}
        changed, left = sealed.reseal(Database(copied), lambda *_: None)
        assert (changed, left) == (0, 4)
