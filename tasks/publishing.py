"""Publishes what was proved, and has a running router take it up."""

import asyncio

import httpx2
from prefect import task
from prefect.cache_policies import NO_CACHE

from modelscan.catalog import versions
from modelscan.codegen.publish import publish_files
from modelscan.errors import DiscoveryFailed
from modelscan.types import SdkVersion
from modelscan.validation.repair import Repaired
from tasks.run import Run

__all__ = ["publish", "reload"]

_SECONDS = 30.0


@task(name="publish", cache_policy=NO_CACHE, persist_result=False)
async def publish(run: Run, proved: Repaired) -> SdkVersion:
    """Files first, each replaced in one step; then provider, models and version in one transaction."""
    async with run.step("publish") as step:
        folder = run.bench.settings.generation.path
        files = await asyncio.to_thread(publish_files, folder, proved.spec, *proved.sources)
        version = await run.catalogue(
            versions.publish,
            proved.spec,
            path=files.path,
            sha256=files.sha256,
            report=proved.report,
            discovery_id=run.discovery.id,
        )
        step.detail = f"{files.path}, version {version.version}"
        return version


@task(name="reload", cache_policy=NO_CACHE, persist_result=False)
async def reload(run: Run, version: SdkVersion) -> int | None:
    """The generation in which a running router says that it serves this very file; None where none is running."""
    async with run.step("reload") as step:
        url, token = run.bench.told("router.url"), run.bench.admin_token
        if not url or not token:
            step.detail = "no router is running; it will serve this at its next start"
            return None
        try:
            async with httpx2.AsyncClient(timeout=_SECONDS, trust_env=False) as http:
                answer = await http.post(f"{url}/api/reload", headers={"authorization": f"Bearer {token}"})
        except httpx2.TransportError as error:
            step.detail = f"the router at {url} does not answer ({error}); it will serve this at its next start"
            return None
        generation = _confirmed(answer, version)
        step.detail = f"the router serves it in generation {generation}"
        return generation


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
