"""Publishes what was proved, and has a running router take it up."""

import asyncio
from contextlib import suppress
from pathlib import Path

import httpx2
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.clients.activation import comparable, restore
from modelscan.clients.keeping import files_of, source_of
from modelscan.clients.registry import Served
from modelscan.codegen.publish import place_of
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import DiscoveryFailed, GenerationRefused
from modelscan.settings import VersionSettings
from modelscan.sources.http import tls
from modelscan.synthesis.prices import renew_prices
from modelscan.types import CanaryTerms, Kept, SdkVersion
from modelscan.validation.repair import Repaired
from tasks.run import Run

__all__ = ["publish", "reload", "served"]

_SECONDS = 30.0
_RESTART_SECONDS = 30.0
_AGAIN_SECONDS = 0.2


@task(name="publish", task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
async def publish(run: Run, proved: Repaired) -> SdkVersion:
    """Provider, models, version and its files in one transaction; then the folder's files, each in one step.

    A specification that says what the served one says leaves its files alone: regenerating gives no difference.
    """
    with run.step("publish") as step:
        before = await run.catalogue(served, run, proved.spec.provider)
        version = await run.catalogue(_published, run, proved, before)
        await run.catalogue(renew_prices, proved.spec.provider)
        step.detail = f"{version.path}, version {version.version}"
        if before and before.version.sha256 == version.sha256:
            step.detail += ", unchanged"
        elif not version.active:
            step.detail += await run.catalogue(_why_not_active, version)
        if before and before.spec.base_url != proved.spec.base_url:
            step.detail += f", in place of {before.spec.base_url}"
        return version


def served(database: Database, run: Run, provider: str) -> Served | None:
    """The active version, where its bytes are as they were published."""
    for version in versions.active(database):
        if version.provider == provider:
            with suppress(GenerationRefused):
                return Served(version, read_spec(source_of(database, _folder(run), version).client))
    return None


def _published(database: Database, run: Run, proved: Repaired, before: Served | None) -> SdkVersion:
    """The catalogue first, which keeps the files; then the folder, where the version is served."""
    spec, files, settings = proved.spec, Kept(*proved.sources), run.bench.settings.versions
    if before and before.version.digest == spec.digest:
        kept = source_of(database, _folder(run), before.version).client.decode()
        files = files_of(database, before.version) or Kept(kept, files.test)
    place = place_of(_folder(run), spec, files.client)
    tried = before is not None and settings.canary_share > 0 and comparable(before.spec, spec)
    version = versions.publish(
        database,
        spec,
        path=place.path,
        sha256=place.sha256,
        report=proved.report,
        discovery_id=run.discovery.id,
        files=files,
        terms=_terms(settings) if tried else None,
        count=settings.keep,
        approved=run.discovery.verdict is not None,
    )
    if version.active:
        restore(_folder(run), spec, files)
    return version


def _terms(settings: VersionSettings) -> CanaryTerms:
    return CanaryTerms(
        share=settings.canary_share,
        margin=settings.canary_margin,
        requests=settings.canary_requests,
        minutes=settings.canary_minutes,
    )


def _why_not_active(database: Database, version: SdkVersion) -> str:
    """What became of a version that is not served to all, in words."""
    provider, number = version.provider, version.version
    if versions.was_rolled_back(database, provider, number):
        return f", which was rolled back before and stays so: modelscan activate {provider} {number}"
    return f", tried by some requests first: modelscan versions {provider}"


def _folder(run: Run) -> Path:
    return run.bench.settings.generation.path


@task(name="reload", task_run_name="reload", cache_policy=NO_CACHE, persist_result=False)
async def reload(run: Run, version: SdkVersion) -> int | None:
    """The generation in which a running router says that it serves this very file; None where none is running."""
    with run.step("reload") as step:
        if not version.active and await run.catalogue(versions.was_rolled_back, version.provider, version.version):
            step.detail = "nothing is served that was not before"
            return None
        url, token = run.bench.told("router.url"), run.bench.admin_token
        if not url or not token:
            step.detail = "no router is running; it will serve this at its next start"
            return None
        try:
            async with httpx2.AsyncClient(timeout=_SECONDS, verify=tls(), trust_env=False) as http:
                answer = await _asked_to_reload(http, url, token)
        except httpx2.TransportError as error:
            step.detail = f"the router at {url} does not answer ({error}); it will serve this at its next start"
            return None
        generation = _confirmed(answer, version)
        step.detail = f"the router serves it in generation {generation}"
        return generation


async def _asked_to_reload(http: httpx2.AsyncClient, url: str, token: str) -> httpx2.Response:
    """The router's answer; one that restarts is asked again until it is open."""
    until = asyncio.get_running_loop().time() + _RESTART_SECONDS
    while True:
        answer = await http.post(f"{url}/api/reload", headers={"authorization": f"Bearer {token}"})
        if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE or asyncio.get_running_loop().time() > until:
            return answer
        await asyncio.sleep(_AGAIN_SECONDS)


def _confirmed(answer: httpx2.Response, version: SdkVersion) -> int:
    served = answer.json() if answer.status_code == 200 else {}
    provider = served.get("providers", {}).get(version.provider, {})
    if version.sha256 not in (provider.get("sha256"), (provider.get("canary") or {}).get("sha256")):
        raise DiscoveryFailed(
            f"The router answered {answer.status_code} and does not serve this version of {version.provider}.",
            hint="See `problems` of GET /health, and the router's log.",
            problems=served.get("problems", []),
        )
    return int(served["generation"])
