"""Where tokens are issued: at the running service, or in the catalogue where none runs."""

import os
import time
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from pydantic import TypeAdapter

from modelscan.catalog import tokens as table
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.cli.access import running_service_of, settings_of
from modelscan.cli.catalogue import catalogue_of
from modelscan.cli.service import Service
from modelscan.cli.session import Session
from modelscan.custody.sealing import Custody
from modelscan.settings import Settings, ensure_data_dir
from modelscan.tokens import store
from modelscan.tokens.account import Account
from modelscan.tokens.spent import NOTHING, spent
from modelscan.tokens.standing import TokenStanding, standing_of
from modelscan.tokens.store import Issued
from modelscan.types import ClientToken, TokenRole, TokenTerms

__all__ = ["Desk", "desk_of"]

_PATH = "/api/tokens"
_MANY: TypeAdapter[tuple[TokenStanding, ...]] = TypeAdapter(tuple[TokenStanding, ...])
Handed = tuple[TokenStanding, str]
"""A token, and its text."""


class Desk(Protocol):
    """What can be done with tokens; each raises what modelscan.tokens.store raises."""

    def issue(self, name: str, role: TokenRole, terms: TokenTerms, expires_at: datetime | None) -> Handed:
        """A new token."""
        ...

    def list(self) -> tuple[TokenStanding, ...]:
        """All tokens."""
        ...

    def show(self, name: str) -> TokenStanding:
        """One of them."""
        ...

    def change(self, name: str, terms: TokenTerms) -> TokenStanding:
        """Other terms for one."""
        ...

    def rotate(self, name: str) -> Handed:
        """Another text for one."""
        ...

    def revoke(self, name: str) -> TokenStanding:
        """The end of one."""
        ...

    def delete(self, name: str) -> ClientToken:
        """One is forgotten."""
        ...


def desk_of(session: Session) -> Desk:
    """The running service's, where what is done counts at once; else the catalogue's."""
    service = running_service_of(session)
    return _Online(service) if service else _Offline(session)


class _Online:
    def __init__(self, service: Service) -> None:
        self._service = service

    def issue(self, name: str, role: TokenRole, terms: TokenTerms, expires_at: datetime | None) -> Handed:
        asked = {"name": name, "role": role, "expires_at": expires_at.isoformat() if expires_at else None}
        return _handed(self._service.post(_PATH, {**asked, "terms": terms.model_dump(mode="json")}))

    def list(self) -> tuple[TokenStanding, ...]:
        return _MANY.validate_python(self._service.get(_PATH))

    def show(self, name: str) -> TokenStanding:
        return TokenStanding.model_validate(self._service.get(_at(name)))

    def change(self, name: str, terms: TokenTerms) -> TokenStanding:
        return TokenStanding.model_validate(self._service.put(_at(name), terms.model_dump(mode="json")))

    def rotate(self, name: str) -> Handed:
        return _handed(self._service.post(_at(name, "/rotate"), {}))

    def revoke(self, name: str) -> TokenStanding:
        return TokenStanding.model_validate(self._service.post(_at(name, "/revoke"), {}))

    def delete(self, name: str) -> ClientToken:
        return ClientToken.model_validate(self._service.delete(_at(name)))


class _Offline:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._settings: Settings = settings_of(session)

    def issue(self, name: str, role: TokenRole, terms: TokenTerms, expires_at: datetime | None) -> Handed:
        database = self._database()
        return self._told(store.issue(database, self._custody(), name, role=role, terms=terms, expires_at=expires_at))

    def list(self) -> tuple[TokenStanding, ...]:
        database = catalogue_of(self._session)
        return self._standings(database) if database else ()

    def show(self, name: str) -> TokenStanding:
        return self._standing(table.find(self._database(), name))

    def change(self, name: str, terms: TokenTerms) -> TokenStanding:
        return self._standing(store.change(self._database(), name, terms))

    def rotate(self, name: str) -> Handed:
        return self._told(store.rotate(self._database(), self._custody(), name))

    def revoke(self, name: str) -> TokenStanding:
        return self._standing(table.revoke(self._database(), name))

    def delete(self, name: str) -> ClientToken:
        return table.delete(self._database(), name)

    def _database(self) -> Database:
        ensure_data_dir(self._settings)
        database = Database(self._settings.database_path, self._settings.database.wait_seconds)
        migrate(database)
        return database

    def _custody(self) -> Custody:
        return Custody.load(self._settings.data_dir, os.environ)

    def _told(self, issued: Issued) -> Handed:
        return self._standing(issued.token), issued.secret.get_secret_value()

    def _standing(self, token: ClientToken) -> TokenStanding:
        return next(one for one in self._standings(self._database()) if one.id == token.id)

    def _standings(self, database: Database) -> tuple[TokenStanding, ...]:
        now = time.time()
        used = spent(database, now, lambda *_: None)
        accounts = (Account(token, now, used.get(token.id, NOTHING)) for token in table.list_tokens(database))
        return tuple(standing_of(account, now) for account in accounts)


def _at(name: str, more: str = "") -> str:
    return f"{_PATH}/{quote(name, safe='')}{more}"


def _handed(answer: dict[str, Any]) -> Handed:
    text = answer.pop("token")
    return TokenStanding.model_validate(answer), text
