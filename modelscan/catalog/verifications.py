"""What re-validations of published clients showed, kept to see what changed since."""

import json
from datetime import datetime

from modelscan.catalog.database import Database
from modelscan.catalog.rows import json_text, query, rows
from modelscan.types import SdkVersion, ValidationReport

__all__ = ["list_reports", "save"]

_KEPT = 20
"""Of a version; what is older is removed."""


def save(database: Database, version: SdkVersion, report: ValidationReport, at: datetime, run_id: str | None) -> None:
    """Store one report on a version."""
    values = [version.provider, version.version, at, run_id, json_text(report.model_dump(mode="json"))]
    with database.write() as connection:
        connection.execute("INSERT INTO verifications VALUES (?, ?, ?, ?, ?)", values)
        kept = {"provider": version.provider, "version": version.version, "kept": _KEPT}
        connection.execute(query("forget_verifications"), kept)


def list_reports(database: Database, version: SdkVersion) -> tuple[ValidationReport, ...]:
    """Those on one version, newest first."""
    sql = 'SELECT report FROM verifications WHERE provider = ? AND version = ? ORDER BY "at" DESC, rowid DESC'
    with database.read() as connection:
        found = rows(connection, sql, [version.provider, version.version])
    return tuple(ValidationReport.model_validate(json.loads(row["report"])) for row in found)
