"""Climbs the levels static < contract < probe < live with one candidate, as far as its cases carry it."""

import asyncio
import json
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from modelscan.codegen.gate import check
from modelscan.codegen.render import module_name
from modelscan.errors import GenerationRefused, HostRefused
from modelscan.reference import create_reference, serve
from modelscan.sources.http import checked_addresses, host_port
from modelscan.types import CaseResult, ClientSpec, Level, ValidationReport
from modelscan.validation.probe import BUSY, REFUSED, probe
from modelscan.validation.sandbox import Sandbox
from modelscan.wire import protocol_of
from modelscan.wire.cases import derive

__all__ = ["validate"]

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_ASKED = "It was not asked for more than "
_TRANSPORT_FAULTS = frozenset({"APIConnectionError", "ConnectError", "ReadError", "RemoteProtocolError", "WriteError"})
"""How the SDKs and httpx name a connection that was lost; not a timeout, which would take as long again."""


@dataclass(frozen=True)
class _Candidate:
    spec: ClientSpec
    client_source: str
    test_source: str
    sandbox: Sandbox
    key: SecretStr | None
    http: httpx2.AsyncClient
    reach: bool
    environ: Mapping[str, str] = field(repr=False)
    contract_seconds: float
    live_seconds: float
    allowed_private: Collection[str]

    @property
    def base_url(self) -> str:
        """With `${VAR}` filled in; a variable that is not set stays as it is."""
        return _VARIABLE.sub(lambda match: self.environ.get(match[1], match[0]), self.spec.base_url)


async def validate(
    spec: ClientSpec,
    client_source: str,
    test_source: str,
    *,
    sandbox: Sandbox,
    key: SecretStr | None,
    http: httpx2.AsyncClient,
    reach: bool,
    environ: Mapping[str, str] = os.environ,
    contract_seconds: float = 20.0,
    live_seconds: float = 60.0,
    allowed_private: Collection[str] = (),
    highest: Level = Level.LIVE,
) -> ValidationReport:
    """Prove what can be proved of a client, up to `highest`; the report says why it is not more.

    key: sent to `spec.base_url` only, and only after that host answered the probe as such an API. reach: whether the
    real host may be asked at all. environ: fills `${VAR}` in the base URL. allowed_private: hosts, or `host:port`s,
    that may be private though only a source named them.
    Raises ServiceUnavailable where the sandbox cannot start; whatever the candidate does wrong is in the report.
    """
    candidate = _Candidate(
        spec,
        client_source,
        test_source,
        sandbox,
        key,
        http,
        reach,
        environ,
        contract_seconds,
        live_seconds,
        allowed_private,
    )
    proved, results = Level.NONE, list[CaseResult]()
    for level, climb in _STEPS:
        if level.rank > highest.rank:
            return ValidationReport(level=proved, why_not_higher=f"{_ASKED}{highest}.", results=tuple(results))
        shown = await climb(candidate)
        results += shown
        if why := _why(level, shown):
            why += _and_a_key(level, candidate)
            return ValidationReport(level=proved, why_not_higher=why, results=tuple(results))
        proved = level
    return ValidationReport(level=proved, results=tuple(results))


async def _static(candidate: _Candidate) -> Sequence[CaseResult]:
    spec, client, test = candidate.spec, candidate.client_source, candidate.test_source
    checks: dict[str, Callable[[], object]] = {
        "gate": lambda: check(client, spec),
        "compiles": lambda: [compile(source, "<generated>", "exec", dont_inherit=True) for source in (client, test)],
    }
    return [_checked(case, action) for case, action in checks.items()]


def _checked(case: str, action: Callable[[], object]) -> CaseResult:
    began = monotonic()
    try:
        action()
    except (GenerationRefused, SyntaxError, ValueError) as error:
        detail = str(error)
        return CaseResult(case=case, level=Level.STATIC, outcome="failed", detail=detail, seconds=monotonic() - began)
    return CaseResult(case=case, level=Level.STATIC, outcome="passed", seconds=monotonic() - began)


async def _contract(candidate: _Candidate) -> Sequence[CaseResult]:
    """The cases against the reference provider, dressed as the specification says: auth, base path, models."""
    spec = candidate.spec
    path = urlsplit(_VARIABLE.sub("x", spec.base_url)).path.rstrip("/")
    key = None if spec.auth.kind == "none" else SecretStr(f"sk-reference-{secrets.token_hex(16)}")
    models = tuple(sorted({model.id for model in spec.models} | {spec.test_model}))
    plain_key = key.get_secret_value() if key else None
    app = create_reference(models=models, key=plain_key, auth=spec.auth, base_path=path, protocol=protocol_of(spec))
    async with serve(app) as origin:
        return await _run_cases(candidate, Level.CONTRACT, origin + path, key, candidate.contract_seconds)


async def _probe(candidate: _Candidate) -> Sequence[CaseResult]:
    if not candidate.reach:
        return [_skipped("chat_without_key", Level.PROBE, "the real host was not to be asked")]
    if missing := _VARIABLE.findall(candidate.base_url):
        words = f"the base URL needs {', '.join(missing)}, not set in the environment"
        return [_skipped("chat_without_key", Level.PROBE, words)]
    return await probe(candidate.spec, candidate.base_url, candidate.http)


async def _live(candidate: _Candidate) -> Sequence[CaseResult]:
    spec = candidate.spec
    if spec.auth.kind == "header" and candidate.key is None:
        words = f"no key was given: modelscan keys add {spec.provider}"
        return [_skipped(case.id, Level.LIVE, words) for case in derive(spec)]
    key = candidate.key if spec.auth.kind == "header" else None
    rows = await _run_cases(candidate, Level.LIVE, candidate.base_url, key, candidate.live_seconds)
    if any(map(_broke_off, rows)):  # Once more: what only the transport lost says nothing of the specification.
        again = await _run_cases(candidate, Level.LIVE, candidate.base_url, key, candidate.live_seconds)
        rows = [second if _broke_off(first) else first for first, second in zip(rows, again, strict=True)]
    return [_judged(row, spec) for row in rows]


def _broke_off(row: CaseResult) -> bool:
    return row.outcome == "failed" and row.status is None and row.detail.partition(":")[0] in _TRANSPORT_FAULTS


_STEPS: tuple[tuple[Level, Callable[[_Candidate], Awaitable[Sequence[CaseResult]]]], ...] = (
    (Level.STATIC, _static),
    (Level.CONTRACT, _contract),
    (Level.PROBE, _probe),
    (Level.LIVE, _live),
)


def _skipped(case: str, level: Level, detail: str) -> CaseResult:
    return CaseResult(case=case, level=level, outcome="skipped", detail=detail)


async def _run_cases(
    candidate: _Candidate, level: Level, base_url: str, key: SecretStr | None, seconds: float
) -> list[CaseResult]:
    """Run the generated test in the sandbox, which reaches that server alone; a case that it did not report is red."""
    own = {host_port(base_url)} if level is Level.CONTRACT or candidate.spec.operator_host else set[str]()
    try:
        reach = await _checked_reach(base_url, {*candidate.allowed_private, *own})
    except (HostRefused, OSError) as error:
        return [_skipped(case.id, level, f"the host could not be reached: {error}") for case in derive(candidate.spec)]
    module = module_name(candidate.spec.provider)
    files = {f"{module}.py": candidate.client_source, f"test_{module}.py": candidate.test_source}
    env: dict[str, str | SecretStr] = {
        "MODELSCAN_CONTRACT_BASE_URL": base_url,
        "MODELSCAN_CONTRACT_KEY": key or SecretStr(""),
        "MODELSCAN_CONTRACT_REACH": reach,
        "MODELSCAN_CONTRACT_FREE": "yes" if level is Level.CONTRACT else "no",
    }
    sdk = protocol_of(candidate.spec).sdk
    run = await asyncio.to_thread(candidate.sandbox.run, files, env, seconds, sdk)
    missing = run.problem or "the generated test has no such case"
    results = []
    for case in derive(candidate.spec):
        if (row := run.outcomes.get(f"test_{case.id}")) is None:
            results.append(CaseResult(case=case.id, level=level, outcome="failed", detail=missing))
        else:
            results.append(CaseResult(case=case.id, level=level, **row.model_dump(exclude={"test"})))
    return results


async def _checked_reach(base_url: str, allowed: Collection[str]) -> str:
    """The one server of a run, by addresses that are checked now and not looked up again."""
    url, (host, _, port) = httpx2.URL(base_url), host_port(base_url).rpartition(":")
    addresses = await checked_addresses(host.strip("[]"), int(port), allowed)
    return json.dumps({"host": url.raw_host.decode(), "port": int(port), "addresses": addresses})


def _judged(row: CaseResult, spec: ClientSpec) -> CaseResult:
    """Say what a failure at the real host means: a refused key is told as such, a quota is no failure of the client."""
    if row.outcome != "failed" or row.status not in BUSY | REFUSED:
        return row
    if row.status in BUSY:
        words = f"the provider answered {row.status} (quota or overload): {row.detail}"
        return row.model_copy(update={"outcome": "skipped", "detail": words})
    refusal = "a key is needed" if spec.auth.kind == "none" else f"the key was refused as {spec.auth.header}"
    return row.model_copy(update={"detail": f"{refusal} ({row.status}): {row.detail}"})


def _why(level: Level, results: Sequence[CaseResult]) -> str:
    """Why `level` is not reached, in words; empty when it is.

    A skip that the generated test chose itself (a server that answers every model name) keeps from no level, as long as
    other cases passed.
    """
    failed = [result for result in results if result.outcome == "failed"]
    refused = [result for result in failed if result.status in REFUSED]
    if level is Level.LIVE and refused:
        return _sentence(refused[0].detail)
    if failed:
        cases = ", ".join(result.case for result in failed)
        return _sentence(f"{len(failed)} of {len(results)} {level} cases failed ({cases}): {failed[0].detail}")
    strict = level is Level.PROBE or not any(result.outcome == "passed" for result in results)
    skipped = [result for result in results if result.outcome == "skipped" and (strict or result.status in BUSY)]
    return _sentence(skipped[0].detail) if skipped else ""


def _and_a_key(level: Level, candidate: _Candidate) -> str:
    """What will be missing next, once the host can be reached."""
    if level is not Level.PROBE or not candidate.reach or candidate.key or candidate.spec.auth.kind == "none":
        return ""
    return f" A key is missing too: modelscan keys add {candidate.spec.provider}"


def _sentence(words: str) -> str:
    line = words.partition("\n")[0].strip()
    return f"{line[:1].upper()}{line[1:300].rstrip('.')}."
