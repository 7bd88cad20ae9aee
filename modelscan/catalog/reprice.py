"""Prices usage anew where its price was corrected: shows the difference, then applies it, with an audit row."""

import json
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.prices import versions_in
from modelscan.catalog.rollups import recount
from modelscan.catalog.rows import json_text, query, rows, storable
from modelscan.types import (
    PriceVersion,
    Reprice,
    RepriceAudit,
    RepricedModel,
    RepriceScope,
    digest_of,
    utc_now,
)

__all__ = ["apply", "audits", "preview"]

_APPLY = """
UPDATE usage_tracking SET cost_usd = r.after, price_id = r.price_id
FROM repriced AS r
WHERE usage_tracking.rowid = r.place
"""
_AUDITS = 'SELECT id, "at", "by", document AS done FROM reprices ORDER BY "at" DESC'
_ZERO = Decimal(0)


def preview(database: Database, scope: RepriceScope) -> Reprice:
    """What it would change; nothing is."""
    with database.read() as connection:
        try:
            return _found(connection, scope)
        finally:
            connection.execute("DROP TABLE IF EXISTS repriced")


def apply(database: Database, scope: RepriceScope, by: str) -> Reprice:
    """Do it, in one transaction with its audit row and the sums by hour and day.

    Done again it changes nothing, and leaves no row.
    """
    with database.write() as connection:
        found = _found(connection, scope)
        if found.rows:
            connection.execute(_APPLY)
            recount(connection)
            found = _noted(connection, found, by)
        connection.execute("DROP TABLE repriced")
    return found


def audits(database: Database) -> tuple[RepriceAudit, ...]:
    """All that was done, the last first."""
    with database.read() as connection:
        found = rows(connection, _AUDITS)
    return tuple(RepriceAudit.model_validate({**row, "done": json.loads(row["done"])}) for row in found)


def _found(connection: Connection, scope: RepriceScope) -> Reprice:
    versions = versions_in(connection, scope.provider, scope.model, newest=scope.prices == "now")
    span = {"since": scope.since, "until": scope.until}
    connection.execute(query("reprice"), {"rungs": json_text([*_rungs(versions, scope)]), **span})
    models = tuple(RepricedModel.model_validate(_plain(row)) for row in rows(connection, query("repriced_models")))
    of = {"provider": scope.provider, "model": scope.model}
    ((unknown,),) = connection.execute(query("unpriced_rows"), {**span, **of}).fetchall()
    before, after = (sum((getattr(one, name) for one in models), _ZERO) for name in ("before_usd", "after_usd"))
    known = sum(one.became_known for one in models)
    return Reprice(
        scope=scope,
        rows=sum(one.rows for one in models),
        became_known=known,
        before_usd=before,
        after_usd=after,
        difference_usd=after - before,
        unknown=int(unknown) - known,
        models=models,
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Without the zeros that fill the columns' twelve decimals."""
    return {
        name: Decimal(f"{value.normalize():f}") if isinstance(value, Decimal) else value for name, value in row.items()
    }


def _noted(connection: Connection, found: Reprice, by: str) -> Reprice:
    at = utc_now()
    done = found.model_copy(update={"audit": digest_of([at.isoformat(), by, found.model_dump(mode="json")])[:12]})
    connection.execute(
        "INSERT INTO reprices VALUES (?, ?, ?, ?)", [done.audit, at, storable(by[:200]), done.model_dump_json()]
    )
    return done


def _rungs(versions: Iterable[PriceVersion], scope: RepriceScope) -> Iterable[dict[str, Any]]:
    """One row for each tier of each version, and when it counts."""
    for _, group in groupby(versions, attrgetter("provider", "model")):
        until = None
        of_model = [*group]  # the newest first
        for version in of_model:
            since = version.valid_from if scope.prices == "then" and version is not of_model[-1] else None
            named = {"price_id": version.id, "provider": version.provider, "model": version.model}
            when = {"valid_from": since and since.isoformat(), "valid_until": until and until.isoformat()}
            until = version.valid_from
            for rung in version.rungs():
                yield {**named, **when, **{name: None if value is None else str(value) for name, value in rung.items()}}
