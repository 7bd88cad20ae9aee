"""Whether the router may listen where it was told to."""

from modelscan.catalog import tokens
from modelscan.catalog.database import Database
from modelscan.catalog.detached import DetachedDatabase
from modelscan.catalog.migrate import migrate
from modelscan.errors import InvalidConfiguration
from modelscan.settings import Settings
from router_app.door import is_loopback

__all__ = ["refuse_to_be_open"]


def refuse_to_be_open(settings: Settings) -> None:
    """Raises InvalidConfiguration where others would reach a router that wants no token, and nobody said they may.

    A token that was revoked or has expired is one, too: with it the router lets nobody in.
    """
    host = settings.server.host
    if is_loopback(host) or settings.server.open or _issued(settings):
        return
    raise InvalidConfiguration(
        f"The router would listen on {host or 'all addresses'}, which others reach, and no token was issued: whoever "
        "finds it could use every model.",
        hint="Issue one first (modelscan tokens issue NAME), listen on 127.0.0.1 alone (server.host), or let everybody "
        "in: modelscan serve --open, or server.open.",
    )


def _issued(settings: Settings) -> bool:
    if not settings.database_path.exists():
        return False
    database = DetachedDatabase(Database(settings.database_path, settings.database.wait_seconds))
    try:
        migrate(database)
        return any(token.role == "client" for token in tokens.list_tokens(database))
    finally:
        database.close()
