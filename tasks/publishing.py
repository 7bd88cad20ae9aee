"""Publishes what was proved, and has a running router take it up."""

import asyncio
from contextlib import suppress

import httpx2
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.clients.loader import load
from modelscan.clients.registry import Served
from modelscan.codegen.publish import publish_files
from modelscan.errors import DiscoveryFailed, GenerationRefused
from modelscan.sources.http import tls
from modelscan.synthesis.prices import renew_prices
from modelscan.types import SdkVersion
from modelscan.validation.repair import Repaired
from tasks.run import Run

__all__ = ["publish", "reload", "served"]

_SECONDS = 30.0
_RESTART_SECONDS = 30.0
_AGAIN_SECONDS = 0.2


@task(name="publish", task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
async def publish(run: Run, proved: Repaired) -> SdkVersion:
    """Files first, each replaced in one step; then provider, models and version in one transaction; then prices.

    A specification that says what the served one says leaves its files alone: regenerating gives no difference.
    """
    with run.step("publish") as step:
        before = await run.catalogue(served, run, proved.spec.provider)
        same = before if before and before.version.digest == proved.spec.digest else None
        if same:
            path, sha256 = same.version.path, same.version.sha256
        else:
            path, sha256 = await asyncio.to_thread(_written, run, proved)
        version = await run.catalogue(
            versions.publish,
            proved.spec,
            path=path,
            sha256=sha256,
            report=proved.report,
            discovery_id=run.discovery.id,
        )
        await run.catalogue(renew_prices, proved.spec.provider)
        step.detail = f"{path}, version {version.version}" + (", unchanged" if same else "")
        if before and before.spec.base_url != proved.spec.base_url:
            step.detail += f", in place of {before.spec.base_url}"
        return version


def served(database: Database, run: Run, provider: str) -> Served | None:
    """The active version, where its file is as it was published."""
    for version in versions.active(database):
        if version.provider == provider:
            with suppress(GenerationRefused):
                return Served(version, load(run.bench.settings.generation.path, version))
    return None


def _written(run: Run, proved: Repaired) -> tuple[str, str]:
    files = publish_files(run.bench.settings.generation.path, proved.spec, *proved.sources)
    return files.path, files.sha256


@task(name="reload", task_run_name="reload", cache_policy=NO_CACHE, persist_result=False)
async def reload(run: Run, version: SdkVersion) -> int | None:
    """The generation in which a running router says that it serves this very file; None where none is running."""
    with run.step("reload") as step:
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
    sha256 = served.get("providers", {}).get(version.provider, {}).get("sha256")
    if sha256 != version.sha256:
        raise DiscoveryFailed(
            f"The router answered {answer.status_code} and does not serve this version of {version.provider}.",
            hint="See `problems` of GET /health, and the router's log.",
            problems=served.get("problems", []),
        )
    return int(served["generation"])
