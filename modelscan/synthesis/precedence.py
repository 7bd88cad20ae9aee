"""The answer without an LLM: which claim wins, and what else may be tried after a red run."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from modelscan.errors import NotEnoughEvidence, UnknownIdentifier
from modelscan.synthesis.claims import auths, base_urls, name_of, protocols
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.models import left_out, models_for
from modelscan.synthesis.resolve import resolve
from modelscan.types import Attempt, Auth, ClientSpec, SourceRecord
from modelscan.wire import WireProtocol, protocol_of

__all__ = ["Proposal", "propose", "words_of"]


class Proposal(NamedTuple):
    """What to try next, in fields and in words."""

    spec: ClientSpec
    words: str


def propose(evidence: Evidence, attempts: Sequence[Attempt] = ()) -> Proposal | None:
    """The best hypothesis that was not tried yet; None when there is nothing new to try.

    Only what rests on weak evidence varies: the path, the protocol and the key's header of a server that the operator
    named. What a trusted source states is taken or refused, never varied. Raises UnknownIdentifier, NotEnoughEvidence,
    UnsupportedProtocol, HostRefused.
    """
    specs = {spec.digest: spec for spec in _hypotheses(evidence)}
    tried = {attempt.spec_digest for attempt in attempts}
    left = [spec for digest, spec in specs.items() if digest not in tried]
    if attempts and (last := specs.get(attempts[-1].spec_digest)):
        left = [spec for spec in left if _answers(spec, last, attempts[-1])]
    return Proposal(left[0], words_of(evidence, left[0], first=not attempts)) if left else None


def _answers(spec: ClientSpec, last: ClientSpec, attempt: Attempt) -> bool:
    """Whether `spec` changes what `last` failed for: the header after a refusal, the place after all else."""
    refused = any(result.status in (401, 403) for result in attempt.report.failed)
    same_way = (spec.protocol, spec.rest) == (last.protocol, last.rest)
    return same_way and spec.base_url == last.base_url if refused else spec.auth == last.auth or not same_way


def _hypotheses(evidence: Evidence) -> Iterator[ClientSpec]:
    """All that the evidence allows, the likeliest first. Only the first may raise what it lacks."""
    number = 0
    for protocol in protocols(evidence):
        for base, auth in product(base_urls(evidence, protocol[0]), auths(evidence, protocol[0])):
            number += 1
            try:
                yield _spec(evidence, protocol, base, auth)
            except (NotEnoughEvidence, UnknownIdentifier):
                if number == 1:
                    raise


def _spec(
    evidence: Evidence,
    protocol: tuple[WireProtocol, SourceRecord],
    base: tuple[str, SourceRecord],
    auth: tuple[Auth, SourceRecord],
) -> ClientSpec:
    models, test_model, models_record = models_for(evidence, base[0], protocol[0])
    name, name_record = name_of(evidence, base[1])
    cited = {
        "name": name_record,
        "protocol": protocol[1],
        "endpoints": protocol[1],
        "base_url": base[1],
        "auth": auth[1],
        "models": models_record,
    }
    return resolve(
        evidence,
        name=name,
        protocol=protocol[0].dialect,
        base_url=base[0],
        auth=auth[0],
        models=models,
        test_model=test_model,
        cited={field: record.id for field, record in cited.items()},
    )


def words_of(evidence: Evidence, spec: ClientSpec, *, first: bool) -> str:
    """The hypothesis as a person reads it."""
    key = f"key in {spec.auth.header}" if spec.auth.kind == "header" else "no key"
    row = protocol_of(spec)
    what = f"{row.title} at {spec.base_url}, {key}, models: {len(spec.models)}"
    if not spec.operator_host and (others := left_out(evidence, row)):
        what += f" ({others} more that models.dev lists are no models of this protocol)"
    return what if first else f"instead: {what}"
