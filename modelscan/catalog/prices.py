"""Versions of prices: one more only where something changed, and none is ever edited."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from modelscan.catalog.database import Connection, Database
from modelscan.catalog.decisions import decisions_in
from modelscan.catalog.drift import withheld_in
from modelscan.catalog.drift_prices import as_they_count
from modelscan.catalog.records import claims_in
from modelscan.catalog.rows import json_text, query, rows
from modelscan.types import Claim, Decision, PriceSource, PriceVersion, Tariff, utc_now

__all__ = ["Stated", "Stating", "in_force", "newest", "renew", "renew_in", "unpriced", "versions", "versions_in"]

Stated = tuple[Tariff, dict[str, PriceSource]]
"""What one model costs, and who says each part of it."""
_TICK = timedelta(microseconds=1)
_UNPRICED = (
    "SELECT DISTINCT provider FROM models WHERE provider NOT IN (SELECT provider FROM price_versions) ORDER BY 1"
)


class Stating(Protocol):
    """The rule that makes prices of what was said and decided."""

    def __call__(
        self, claims: tuple[Claim, ...], decisions: tuple[Decision, ...], /, *, own_server: bool
    ) -> Mapping[str, Stated]:
        """Model -> what it costs. `own_server`: whether the provider is a server that the operator named."""
        ...


def renew(database: Database, provider: str, stating: Stating, *, model: str | None = None) -> tuple[PriceVersion, ...]:
    """Take up what the models of a provider, or one of them, cost now; returns the versions that this made.

    All in one transaction, so that of two who do it at once the later one sees what the other was told. A model whose
    price nobody says any more gets a version without rates: it is unknown from then on.
    """
    with database.write() as connection:
        return renew_in(connection, provider, stating, model=model)


def renew_in(
    connection: Connection, provider: str, stating: Stating, *, model: str | None = None
) -> tuple[PriceVersion, ...]:
    """`renew` within a transaction."""
    claims = as_they_count(claims_in(connection, provider), withheld_in(connection, provider))
    said = stating(claims, decisions_in(connection, provider), own_server=_own(connection, provider))
    before = {one.model: one for one in versions_in(connection, provider, model, newest=True)}
    models = {*said, *before} if model is None else {model}
    nothing: Stated = (Tariff(), {})
    made = [_next(provider, one, before.get(one), said.get(one, nothing)) for one in sorted(models)]
    fresh = tuple(one for one in made if one)
    if fresh:  # As one JSON text: a provider has 800 models, and row by row they took 2 s.
        connection.execute(query("save_prices"), {"versions": json_text([_row(version) for version in fresh])})
    return fresh


def _next(provider: str, model: str, before: PriceVersion | None, said: Stated) -> PriceVersion | None:
    tariff, evidence = said
    if tariff == (before.tariff if before else Tariff()):
        return None
    return PriceVersion.of(provider, model, _later(utc_now(), before), tariff, evidence)


def _later(now: datetime, before: PriceVersion | None) -> datetime:
    """After the version before it, whatever became of the clock."""
    return max(now, before.valid_from + _TICK) if before else now


def newest(database: Database, provider: str | None = None) -> tuple[PriceVersion, ...]:
    """What each model of one provider or of all costs now, by provider and model."""
    with database.read() as connection:
        return versions_in(connection, provider, None, newest=True)


def in_force(database: Database, known: Mapping[str, PriceVersion] | None = None) -> tuple[PriceVersion, ...]:
    """Likewise, of the models that are published.

    Those that are `known`, by their ids, are not read again: no version is ever edited.
    """
    versions = dict(known or {})
    with database.read() as connection:
        ids = [str(id_) for (id_,) in connection.execute(query("prices_in_force")).fetchall()]
        if news := [id_ for id_ in ids if id_ not in versions]:
            read = map(_version, rows(connection, query("prices_by_id"), {"ids": news}))
            versions.update((one.id, one) for one in read)
    return tuple(versions[id_] for id_ in ids)


def versions(database: Database, provider: str | None = None, model: str | None = None) -> tuple[PriceVersion, ...]:
    """All versions, by provider and model, the newest of each first."""
    with database.read() as connection:
        return versions_in(connection, provider, model, newest=False)


def unpriced(database: Database) -> tuple[str, ...]:
    """Providers with published models and without any version, as an older ModelScan leaves them."""
    with database.read() as connection:
        return tuple(provider for (provider,) in connection.execute(_UNPRICED).fetchall())


def versions_in(
    connection: Connection, provider: str | None, model: str | None, *, newest: bool
) -> tuple[PriceVersion, ...]:
    """`versions` or `newest`, within a transaction."""
    asked = {"provider": provider, "model": model, "newest": newest}
    return tuple(_version(row) for row in rows(connection, query("price_versions"), asked))


def _own(connection: Connection, provider: str) -> bool:
    found = connection.execute(query("own_server"), {"provider": provider}).fetchone()
    return bool(found and found[0])


def _version(row: dict[str, Any]) -> PriceVersion:
    stored = {name: json.loads(row[name]) for name in ("tariff", "evidence")}
    return PriceVersion.model_validate({**row, **stored})


def _row(version: PriceVersion) -> dict[str, Any]:
    row = version.model_dump(mode="json", exclude={"tariff"})
    return {**row, "tariff": version.tariff.stated()}
