"""The newest list of each source that was taken up, with what its server needs to say that it is still the newest."""

import gzip
from datetime import datetime

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import query, rows, storable
from modelscan.types import Listing

__all__ = ["keep", "keep_in", "kept", "touch_records"]


def kept(database: Database, source: str, url: str) -> Listing | None:
    """The list that was last taken up of a source, where it came from that URL."""
    with database.read() as connection:
        found = rows(connection, "SELECT * FROM source_listings WHERE source = ? AND url = ?", [source, url])
    return Listing.model_validate({**found[0], "body": gzip.decompress(found[0]["body"])}) if found else None


def keep(database: Database, listing: Listing) -> None:
    """Take a list up in place of the one before."""
    with database.write() as connection:
        keep_in(connection, listing)


def keep_in(connection: Connection, listing: Listing) -> None:
    """`keep` within a transaction."""
    row = listing.model_dump(mode="python")
    told = {name: storable(row[name]) for name in ("url", "etag", "last_modified")}
    # No time in it: the same list has the same bytes.
    connection.execute(query("keep_listing"), {**row, **told, "body": gzip.compress(listing.body, 6, mtime=0)})


def touch_records(connection: Connection, ids: list[str], at: datetime, sha256: str) -> None:
    """Let records count as answered at `at`: the source says the same as before, in a list with that hash."""
    sql = "UPDATE source_records SET fetched_at = ?, sha256 = ?, stale = false WHERE list_contains(?, id)"
    connection.execute(f"{sql} AND fetched_at < ?", [at, sha256, ids, at])
