"""The catalogue as a command reads it, with the service up or down."""

from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.cli.access import settings_of
from modelscan.cli.session import Session

__all__ = ["catalogue_of"]


def catalogue_of(session: Session) -> Database | None:
    """The catalogue, migrated; None where there is none yet, because looking should make nothing."""
    settings = settings_of(session)
    if not settings.database_path.exists():
        return None
    database = Database(settings.database_path, settings.database.wait_seconds)
    migrate(database)
    return database
