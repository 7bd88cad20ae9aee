"""Reports on published clients are kept, newest first, so many of each version."""

from datetime import UTC, datetime, timedelta

from modelscan.catalog import verifications
from modelscan.catalog.database import Database
from modelscan.types import Level, SdkVersion, ValidationReport

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def version(number: int = 1, provider: str = "acme") -> SdkVersion:
    return SdkVersion(
        provider=provider,
        version=number,
        digest="",
        path="acme.py",
        sha256="",
        level=Level.PROBE,
        active=True,
        published_at=NOON,
    )


def test_they_are_of_one_version_and_the_oldest_are_removed(database: Database) -> None:
    for number in range(23):
        report = ValidationReport(level=Level.PROBE, why_not_higher=str(number))
        verifications.save(database, version(), report, NOON + timedelta(minutes=number), "run")
    verifications.save(database, version(2), ValidationReport(level=Level.LIVE), NOON, None)
    verifications.save(database, version(1, "bolt"), ValidationReport(level=Level.STATIC), NOON, None)
    found = verifications.list_reports(database, version())
    assert [one.why_not_higher for one in found] == [str(number) for number in range(22, 2, -1)]
    assert [one.level for one in verifications.list_reports(database, version(2))] == [Level.LIVE]
    assert verifications.list_reports(database, version(3)) == ()
