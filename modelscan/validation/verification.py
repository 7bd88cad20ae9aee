"""Verifies a published client: proves it again, compares with what it showed before, and keeps to what it may cost."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from pydantic import SecretStr

from modelscan.catalog import discoveries, verifications
from modelscan.catalog.database import Database
from modelscan.clients.keeping import source_of
from modelscan.codegen.spec_literal import read_spec
from modelscan.custody.sealing import Custody
from modelscan.errors import DiscoveryNotFound, NoUsableKey
from modelscan.redaction import redact
from modelscan.settings import Settings
from modelscan.types import CaseChange, ClientSpec, Level, SdkVersion, ValidationReport, Verification
from modelscan.usage.prices import PriceBook
from modelscan.validation.again import key_of, most_live_usd, proved_again
from modelscan.validation.regressions import agreed, case_changes, not_reached
from modelscan.validation.sandbox import Sandbox
from modelscan.visible import visible

__all__ = ["Purse", "Verified", "Verifier", "earlier_reports", "said"]

_MOST_WORDS = 400


class Purse:
    """What a run may still spend, in US dollars; taken before anything is sent."""

    def __init__(self, left: Decimal) -> None:
        self.left = left

    def take(self, amount: Decimal) -> bool:
        """Whether there was as much; it is taken then."""
        if amount > self.left:
            return False
        self.left -= amount
        return True

    def give_back(self, amount: Decimal) -> None:
        """It was not needed."""
        self.left += amount


class Verified(NamedTuple):
    """What came of one client, and the report to keep of it."""

    verification: Verification
    report: ValidationReport
    spec: ClientSpec


class _Reach(NamedTuple):
    """How far one client is asked, and what that costs at most; `why` it is not further, where it should be."""

    highest: Level
    key: SecretStr | None = None
    most: Decimal = Decimal(0)
    why: str = ""


@dataclass(frozen=True)
class Verifier:
    """Of one run. `highest` is the level to climb to; live only as far as the purse reaches."""

    settings: Settings
    database: Database
    custody: Custody
    sandbox: Sandbox
    prices: PriceBook
    highest: Level
    purse: Purse

    async def verify(self, version: SdkVersion) -> Verified:
        """Prove it once, and again where a case fails that used to pass: a change is what was seen twice.

        Raises GenerationRefused where what was published is nowhere, ServiceUnavailable, CatalogError.
        """
        source = (await asyncio.to_thread(source_of, self.database, self.settings.generation.path, version)).client
        spec = read_spec(source)
        earlier = await asyncio.to_thread(earlier_reports, self.database, version)
        reach = await asyncio.to_thread(self._reach, spec)
        report = await self._proved(source, reach)
        cost = reach.most
        if any(one.worse for one in case_changes(earlier, report)):
            report = agreed(report, await self._proved(source, reach))
        else:
            self.purse.give_back(cost := reach.most / 2)
        changes = case_changes(earlier, report)
        verification = Verification(
            provider=version.provider,
            version=version.version,
            published=version.level,
            level=report.level,
            outcome=_outcome(report, changes),
            detail=visible(redact(_detail(report, changes, reach)), _MOST_WORDS),
            changes=changes,
            cost_usd=cost,
        )
        return Verified(verification, report, spec)

    def _reach(self, spec: ClientSpec) -> _Reach:
        """Live where that was asked for, has a price, a key, and enough left for two runs; else the level below."""
        if self.highest is not Level.LIVE:
            return _Reach(self.highest)
        most = most_live_usd(spec, self.prices)
        if most is None:
            return _Reach(Level.PROBE, why=f"the price of {spec.test_model} is unknown")
        try:
            key = key_of(self.database, self.custody, spec)
        except NoUsableKey as error:
            return _Reach(Level.PROBE, why=error.message)
        if not self.purse.take(most * 2):
            return _Reach(Level.PROBE, why=f"it may cost {most * 2:.4f} $, and {self.purse.left:.4f} $ are left")
        return _Reach(Level.LIVE, key, most * 2)

    async def _proved(self, source: bytes, reach: _Reach) -> ValidationReport:
        return await proved_again(
            self.settings,
            source,
            sandbox=self.sandbox,
            key=reach.key,
            highest=reach.highest,
            reach=reach.highest.rank >= Level.PROBE.rank,
        )


def earlier_reports(database: Database, version: SdkVersion) -> tuple[ValidationReport, ...]:
    """What was seen of this version before, newest first; last, what its discovery proved."""
    found = verifications.list_reports(database, version)
    try:
        attempts = discoveries.get(database, version.discovery_id or "").attempts
    except DiscoveryNotFound:
        return found
    return (*found, *(one.report for one in attempts[-1:]))


def said(changes: Iterable[CaseChange]) -> str:
    """The changes in words."""
    return "; ".join(f"{one.field} {'fails' if one.worse else 'passes again'}" for one in changes)


def _outcome(report: ValidationReport, changes: tuple[CaseChange, ...]) -> str:
    if changes:
        return "changed" if any(one.worse for one in changes) else "recovered"
    return "not reached" if not_reached(report) else "as before"


def _detail(report: ValidationReport, changes: tuple[CaseChange, ...], reach: _Reach) -> str:
    first = next((f": {one.after.detail}" for one in changes if one.worse and one.after.detail), "")
    why = f"not asked live: {reach.why}" if reach.why else report.why_not_higher
    return f"{said(changes)}{first}" if changes else why
