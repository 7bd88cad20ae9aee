"""Verifies published clients, each as a task of its own, and tells what they no longer do."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from prefect import runtime, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from modelscan.catalog import discoveries, verifications, versions
from modelscan.drift.policy import effects
from modelscan.errors import DiscoveryNotFound
from modelscan.redaction import redact
from modelscan.synthesis.prices import load_book
from modelscan.types import (
    CaseResult,
    Discovery,
    DriftEvent,
    DriftEvidence,
    DriftKind,
    Level,
    SdkVersion,
    Verification,
    digest_of,
    utc_now,
)
from modelscan.validation.verification import Purse, Verified, Verifier
from modelscan.visible import visible
from tasks.bench import Bench, the_bench
from tasks.drifting import tell
from tasks.logs import run_logger
from tasks.reporting import table

__all__ = ["Verifying", "behaviour", "opened", "report", "summary", "verify", "verify_task"]

_AT_ONCE = 4
Tell = Callable[[Bench, Sequence[DriftEvent]], Awaitable[Sequence[DriftEvent]]]


@dataclass(frozen=True)
class Verifying:
    """What the tasks of one run share."""

    bench: Bench
    verifier: Verifier
    versions: tuple[SdkVersion, ...]
    at_once: asyncio.Semaphore
    tell: Tell = tell


async def opened(providers: Sequence[str], level: str, max_cost_usd: float) -> Verifying:
    """Find what is to be verified: the clients of `providers`, or all. Raises ProviderNotFound."""
    bench = await asyncio.to_thread(the_bench)
    found = await asyncio.to_thread(_versions, bench, providers)
    prices = await asyncio.to_thread(load_book, bench.database)
    verifier = Verifier(
        settings=bench.settings,
        database=bench.database,
        custody=bench.custody,
        sandbox=bench.sandbox,
        prices=prices,
        highest=Level(level),
        purse=Purse(Decimal(str(max_cost_usd))),
    )
    return Verifying(bench, verifier, found, asyncio.Semaphore(_AT_ONCE))


def _versions(bench: Bench, providers: Sequence[str]) -> tuple[SdkVersion, ...]:
    if not providers:
        return versions.active(bench.database)
    return tuple(versions.active_of(bench.database, one) for one in dict.fromkeys(providers))


async def verify(verifying: Verifying, version: SdkVersion) -> Verification:
    """Verify one client, as a task that bears its provider's name; whatever becomes of it, the others go on."""
    named: Any = verify_task.with_options(task_run_name=f"verify {version.provider}")
    state: State[Verification] = await named(verifying, version, return_state=True)
    found = await state.aresult(raise_on_failure=False)
    if isinstance(found, Verification):
        return found
    words = f"{type(found).__name__}: {found}" if isinstance(found, Exception) else str(state.message)
    return Verification(
        provider=version.provider,
        version=version.version,
        published=version.level,
        outcome="not verified",
        detail=visible(redact(words), 400),
    )


@task(name="verify", cache_policy=NO_CACHE, persist_result=False)
async def verify_task(verifying: Verifying, version: SdkVersion) -> State[Verification]:
    """The state is named after the outcome. What changed is told before the report is kept: a run that is killed in
    between tells it again, as the same change."""
    async with verifying.at_once:
        verified = await verifying.verifier.verify(version)
        bench, found, at = verifying.bench, verified.verification, utc_now()
        run_id = str(runtime.flow_run.id) if runtime.flow_run.id else None
        if events := behaviour(verified, run_id):
            told = await verifying.tell(bench, events)
            worse = [event for event, change in zip(told, found.changes, strict=True) if change.worse]
            if effects(worse):  # The policy has it take effect: the client is made anew.
                await asyncio.to_thread(_prove_anew, bench, version)
        await asyncio.to_thread(verifications.save, bench.database, version, verified.report, at, run_id)
    words = f"{found.provider}: {found.outcome}, {found.level}. {found.detail}".strip()
    run_logger().log(logging.WARNING if found.outcome == "changed" else logging.INFO, "%s", words)
    return Completed(name=found.outcome.capitalize(), message=words, data=found)


def _prove_anew(bench: Bench, version: SdkVersion) -> None:
    """Queue what led to this version once more."""
    try:
        before = discoveries.get(bench.database, version.discovery_id or "")
    except DiscoveryNotFound:
        identifier, base_url, deep = version.provider, None, False
    else:
        identifier, base_url, deep = before.identifier, before.base_url, before.deep
    again = Discovery(id=uuid.uuid4().hex, identifier=identifier, base_url=base_url, deep=deep, created_at=utc_now())
    discoveries.create(bench.database, again)


def behaviour(verified: Verified, run_id: str | None) -> tuple[DriftEvent, ...]:
    """What changed as events: a case that passed and fails, or one of those that passes again, which takes it back."""
    found, at = verified.verification, utc_now()
    record = digest_of([found.provider, found.version, run_id])[:16]
    evidence = DriftEvidence(record=record, source="verify-clients", url=verified.spec.base_url, fetched_at=at)
    return tuple(
        DriftEvent.of(
            DriftKind.BEHAVIOUR,
            found.provider,
            change.field,
            _words(change.before),
            _words(change.after),
            evidence=(evidence,),
            found_at=at,
            run_id=run_id,
        )
        for change in found.changes
    )


async def report(verifications: Sequence[Verification]) -> str:
    """Create the artifact `verify-clients`; returns its first sentence."""
    first = summary(verifications)
    rows = (
        (one.provider, one.version, one.published, one.level or "none", one.outcome, one.detail, f"{one.cost_usd:.4f}")
        for one in sorted(verifications, key=lambda one: (_ORDER.index(one.outcome), one.provider))
    )
    head = ("provider", "version", "published at level", "now", "outcome", "what was seen", "$ at most")
    text = f"# Published clients, proved again\n\n{first}\n\n{table(head, rows)}"
    await acreate_markdown_artifact(markdown=redact(text), key="verify-clients", description=first)
    return first


_ORDER = ("changed", "not verified", "recovered", "not reached", "as before")


def summary(verifications: Sequence[Verification]) -> str:
    """How many came out how."""
    outcomes = [one.outcome for one in verifications]
    counts = ", ".join(f"{outcomes.count(one)} {one}" for one in _ORDER if one in outcomes)
    clients = "1 client" if len(outcomes) == 1 else f"{len(outcomes)} clients"
    return f"{clients}: {counts}." if outcomes else "No client is published."


def _words(result: CaseResult) -> str:
    return "passed" if result.outcome == "passed" else f"failed: {result.detail}"
