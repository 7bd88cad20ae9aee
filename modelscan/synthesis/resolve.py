"""The last word on a proposal: each field cites a record, and no URL enters that no trusted record names."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue, ValidationError

from modelscan.errors import HostRefused, NotEnoughEvidence
from modelscan.sources.hosts import fixed_url, why_not_named
from modelscan.synthesis.claims import endpoints
from modelscan.synthesis.dossier import PIN
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.settled import settled_models
from modelscan.types import Auth, ClientSpec, Model, Quirks
from modelscan.wire import WireProtocol, protocol_named

__all__ = ["addresses", "resolve"]

_ADDRESS_FIELDS = ("api", "base_url")
"""What sources call the address of an API in their payloads."""


def resolve(
    evidence: Evidence,
    *,
    name: str,
    protocol: str,
    base_url: str,
    auth: Auth,
    models: tuple[Model, ...],
    test_model: str,
    cited: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    quirks: Quirks | None = None,
) -> ClientSpec:
    """The specification, with what the operator pinned and what the dossier says of each model's prices and limits.

    Raises HostRefused for a URL without a trusted record, NotEnoughEvidence for the uncited.

    `headers` go beside those that the protocol itself needs, `query` and `quirks` stand for themselves; they belong to
    what is cited for `protocol`.
    """
    if pin := evidence.record(PIN):
        base_url = evidence.claim(PIN, "base_url") or base_url
        name = evidence.claim(PIN, "name") or name
        pinned = {field: pin.id for field in ("base_url", "name") if evidence.claim(PIN, field)}
        cited = {**cited, **pinned}
    row = protocol_named(protocol)
    base_url = row.base_of(base_url)
    _check_cited(evidence, cited)
    operator_host = _check_base_url(evidence, base_url, row)
    models, of_models = settled_models(evidence, models)
    try:
        return ClientSpec(
            provider=evidence.identifier.provider,
            name=name,
            protocol=row.name,
            base_url=base_url,
            operator_host=operator_host,
            auth=auth,
            endpoints=endpoints(evidence, row, base_url, models),
            models=models,
            test_model=test_model,
            headers={**row.headers, **(headers or {})},
            query=dict(query or {}),
            quirks=quirks or Quirks(),
            rest=row.rest,
            evidence={**cited, **{field: id_ for field, id_ in of_models.items() if id_ != cited["models"]}},
        )
    except ValidationError as error:
        raise NotEnoughEvidence(
            f"What is said of {evidence.identifier.provider} makes no specification: {error.errors()[0]['msg']}."
        ) from error


def _check_cited(evidence: Evidence, cited: Mapping[str, str]) -> None:
    known = {record.id for record in evidence.records}
    for field in ClientSpec.CITED_FIELDS:
        if cited.get(field) not in known:
            raise NotEnoughEvidence(f"Nothing says what {field} of {evidence.identifier.provider} is.", field=field)


def _check_base_url(evidence: Evidence, base_url: str, row: WireProtocol) -> bool:
    """Whether the operator named the host; HostRefused where nobody trusted did, or a list named a private one."""
    owners = {
        record.source
        for record in evidence.records
        if record.trusted
        and not evidence.rejects(record.source, "base_url")
        and any(base_url in row.bases(text) for text in addresses(record.payload))
    }
    if fixed_url(base_url) is None:
        raise NotEnoughEvidence(
            f"Not enough evidence for {evidence.identifier.provider}: {base_url} names no fixed http(s) host.",
            hint=f"If you know it: modelscan add {evidence.identifier} --base-url URL",
            base_url=base_url,
        )
    if not owners:
        raise HostRefused(
            f"No trusted source names {base_url}.",
            hint=f"If it is yours: modelscan add {evidence.identifier} --base-url {base_url}",
            base_url=base_url,
        )
    own = bool(owners & {"operator", PIN}) or (owners == {"builtin"} and evidence.identifier.provider == "demo")
    if not own and (why := why_not_named(base_url, evidence.allowed_private)):
        raise HostRefused(
            f"{base_url} {why}.",
            hint=f"If it is yours: modelscan add {evidence.identifier} --base-url {base_url}",
            base_url=base_url,
        )
    return own


def addresses(value: JsonValue) -> Iterator[str]:
    """Every text that a payload gives as an address of an API, at any depth; one in a name or a note is only words."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict):
        yield from (text for field in _ADDRESS_FIELDS if isinstance(text := value.get(field), str))
    for one in inner:
        yield from addresses(one)
