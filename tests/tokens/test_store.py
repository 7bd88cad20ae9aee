"""Tokens issued, found by their text, rotated, revoked and forgotten."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelscan.catalog import sealed
from modelscan.catalog import tokens as table
from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration, InvalidInput, TokenNotFound
from modelscan.tokens import store
from modelscan.tokens.book import TokenBook, state_of
from modelscan.types import TokenTerms, utc_now
from tests.catalogues import migrate
from tests.tokens.accounts import NOON

CUSTODY = Custody(SecretStr("master"))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    return database


def book_of(database: Database) -> TokenBook:
    book = TokenBook()
    loaded = store.load(database, CUSTODY, NOON)
    book.replace(loaded.entries, loaded.hash)
    return book


def text_of(issued: store.Issued) -> bytes:
    return issued.secret.get_secret_value().encode()


def test_a_token_is_found_by_its_text_and_by_no_other(database: Database) -> None:
    issued = store.issue(database, CUSTODY, "app", terms=TokenTerms(rpm=3))
    book = book_of(database)
    account = book.find(text_of(issued))
    assert account is not None
    assert account.token == issued.token
    assert account.token.terms.rpm == 3
    assert book.find(text_of(issued)[:-1]) is None
    assert book.of(issued.token.id) is account
    assert book.issued


def test_a_text_has_192_random_bits_and_shows_little_of_itself(database: Database) -> None:
    texts = {text_of(store.issue(database, CUSTODY, f"app-{number}")) for number in range(3)}
    assert {len(text) for text in texts} == {len("msk-") + 32}
    assert len({text[4:] for text in texts}) == 3
    assert all(token.prefix.encode() in {text[:8] for text in texts} for token in table.list_tokens(database))


def test_the_catalogue_holds_neither_the_text_nor_a_hash_that_anybody_can_make(database: Database) -> None:
    issued = store.issue(database, CUSTODY, "app")
    ((_, stored),) = table.hashed(database)
    assert stored != hashlib.sha256(text_of(issued)).digest()
    assert text_of(issued) not in database.path.read_bytes()
    assert repr(text_of(issued)) not in repr(issued)


def test_another_master_key_opens_no_token(database: Database) -> None:
    store.issue(database, CUSTODY, "app")
    with pytest.raises(InvalidConfiguration, match="does not open"):
        store.load(database, Custody(SecretStr("another")), NOON)
    with pytest.raises(InvalidConfiguration, match="does not open"):
        store.issue(database, Custody(SecretStr("another")), "more")


def test_tokens_outlive_a_change_of_the_master_key(database: Database) -> None:
    text = text_of(store.issue(database, CUSTODY, "app"))
    fresh = Custody(SecretStr("fresh"))
    sealed.reseal(database, lambda ciphertext, about: fresh.seal(CUSTODY.open(ciphertext, about), about))
    loaded = store.load(database, fresh, NOON)
    book = TokenBook()
    book.replace(loaded.entries, loaded.hash)
    assert book.find(text) is not None


def test_without_tokens_nothing_is_opened(database: Database) -> None:
    loaded = store.load(database, Custody(SecretStr("any")), NOON)
    assert loaded == ((), None, {})
    assert not book_of(database).issued
    assert book_of(database).find(b"any") is None


def test_a_name_is_given_once(database: Database) -> None:
    store.issue(database, CUSTODY, "app")
    with pytest.raises(InvalidInput, match="There is a token app already"):
        store.issue(database, CUSTODY, "app")


@pytest.mark.parametrize("name", ["", "two words", "-x", "a" * 65, "a\n"])
def test_a_name_is_one_word(database: Database, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be called"):
        store.issue(database, CUSTODY, name)


def test_what_has_expired_already_is_not_issued(database: Database) -> None:
    with pytest.raises(InvalidInput, match="expired already"):
        store.issue(database, CUSTODY, "app", expires_at=utc_now() - timedelta(seconds=1))


def test_a_token_of_the_admin_api_has_no_limits(database: Database) -> None:
    with pytest.raises(InvalidInput, match="uses no model"):
        store.issue(database, CUSTODY, "ops", role="admin", terms=TokenTerms(rpm=1))
    store.issue(database, CUSTODY, "ops", role="read-only")
    assert not book_of(database).issued


def test_rotation_keeps_the_token_and_changes_its_text(database: Database) -> None:
    before = store.issue(database, CUSTODY, "app", terms=TokenTerms(rpm=3))
    after = store.rotate(database, CUSTODY, "app")
    assert after.token == before.token.model_copy(update={"prefix": after.token.prefix})
    book = book_of(database)
    assert book.find(text_of(before)) is None
    assert book.find(text_of(after)) is not None


def test_what_is_revoked_stays_so_and_is_not_rotated(database: Database) -> None:
    store.issue(database, CUSTODY, "app")
    first = table.revoke(database, "app")
    assert table.revoke(database, first.id) == first
    assert state_of(first, 0.0) == "revoked"
    with pytest.raises(InvalidInput, match="was revoked"):
        store.rotate(database, CUSTODY, "app")


def test_terms_are_changed_and_a_token_forgotten(database: Database) -> None:
    issued = store.issue(database, CUSTODY, "app", terms=TokenTerms(rpm=3))
    changed = table.change(database, "app", TokenTerms(models=("demo/*",)))
    assert table.find(database, issued.token.id) == changed
    assert table.delete(database, "app") == changed
    assert table.list_tokens(database) == ()


@pytest.mark.parametrize(
    "work",
    [
        lambda database: table.find(database, "nobody"),
        lambda database: table.revoke(database, "nobody\ud800"),
        lambda database: table.change(database, "nobody", TokenTerms()),
        lambda database: table.delete(database, "nobody"),
        lambda database: store.rotate(database, CUSTODY, "nobody"),
    ],
)
def test_who_is_not_there_is_said_so(database: Database, work: Callable[[Database], object]) -> None:
    with pytest.raises(TokenNotFound, match="There is no token 'nobody"):
        work(database)


def test_an_end_is_an_end(database: Database) -> None:
    token = store.issue(database, CUSTODY, "app", expires_at=utc_now() + timedelta(hours=1)).token
    assert token.expires_at is not None
    at = token.expires_at.timestamp()
    assert [state_of(token, at - 1), state_of(token, at)] == ["active", "expired"]
