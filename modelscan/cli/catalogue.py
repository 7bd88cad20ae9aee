"""The catalogue as a command reads it, with the service up or down."""

from collections.abc import Callable
from typing import TypeVar

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.cli.access import settings_of
from modelscan.cli.session import Session
from modelscan.errors import ProviderNotFound
from modelscan.types import SdkVersion

__all__ = ["NOTHING_YET", "catalogue_of", "published", "read_rows"]

NOTHING_YET = "Nothing was added yet. Try: modelscan add demo/echo"
Row = TypeVar("Row")


def catalogue_of(session: Session) -> Database | None:
    """The catalogue, migrated; None where there is none yet, because looking should make nothing."""
    settings = settings_of(session)
    if not settings.database_path.exists():
        return None
    database = Database(settings.database_path, settings.database.wait_seconds)
    migrate(database)
    return database


def read_rows(session: Session, read: Callable[[Database], tuple[Row, ...]]) -> tuple[Row, ...]:
    """What `read` finds in the catalogue; nothing where there is none yet."""
    database = catalogue_of(session)
    return read(database) if database else ()


def published(session: Session, provider: str) -> tuple[Database, SdkVersion]:
    """The catalogue, and the version of `provider` that is served; raises ProviderNotFound."""
    if (database := catalogue_of(session)) is None:
        raise ProviderNotFound("No client is published yet.", hint=f"Add it: modelscan add {provider}")
    return database, versions.active_of(database, provider)
