"""Checks what a language model proposes against the records; only what they say becomes a specification."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from modelscan.errors import ModelScanError
from modelscan.sources.models_dev import models_of
from modelscan.sources.provider_itself import observations_of
from modelscan.synthesis.claims import auths, name_of
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.models import models_for
from modelscan.synthesis.plain import leaves
from modelscan.synthesis.proposal import Cited, ProposedAuth, Refusal, SpecProposal
from modelscan.synthesis.resolve import addresses, resolve
from modelscan.types import Attempt, Auth, ClientSpec, Model, SourceRecord
from modelscan.wire import WIRE_PROTOCOLS, WireProtocol, protocol_named
from modelscan.wire.openai_chat import OPENAI_CHAT
from modelscan.wire.packages import PROTOCOL_OF_PACKAGE

__all__ = ["admit"]

_NOT_HERE = (404, 405)
_USUAL_AUTH = {("api-key", ""), *((row.auth.header.lower(), row.auth.scheme) for row in WIRE_PROTOCOLS)}
"""Ways to carry a key that need no word of a record; where it is sent to does."""


def admit(evidence: Evidence, proposal: SpecProposal, attempts: Sequence[Attempt]) -> ClientSpec | tuple[Refusal, ...]:
    """The specification, or every reason against the proposal. One reason is enough to take nothing of it."""
    records = {record.id: record for record in evidence.records}
    loops = {f"loop-{attempt.number}": attempt for attempt in attempts}
    if refused := tuple(_refusals(evidence, proposal, records, loops)):
        return refused
    try:
        spec = _spec(evidence, proposal, records)
    except ModelScanError as error:
        return (Refusal(field="proposal", reason=error.message[:500]),)
    except ValidationError as error:
        return (Refusal(field="auth", reason=error.errors(include_input=False)[0]["msg"][:300]),)
    for attempt in attempts:
        if attempt.spec_digest == spec.digest:
            said = f"this is what loop-{attempt.number} tried, and it failed: propose something else"
            return (Refusal(field="proposal", reason=said),)
    return spec


def _refusals(
    evidence: Evidence, said: SpecProposal, records: Mapping[str, SourceRecord], loops: Mapping[str, Attempt]
) -> Iterator[Refusal]:
    for name in type(said).model_fields:
        cited = getattr(said, name)
        if isinstance(cited, Cited):
            known = {*records, *loops} if name in ("auth", "headers", "quirks") else {*records}
            for unknown in sorted(set(cited.records) - known):
                yield Refusal(field=name, reason=f"there is no record {unknown}")
    yield from _wrong_url(said, records)
    yield from _wrong_protocol(evidence, said, records)
    if said.auth:
        yield from _wrong_auth(evidence, said.auth, records, loops)
    yield from _wrong_headers(said, records, loops)
    yield from _wrong_models(evidence, said, records)


def _wrong_url(said: SpecProposal, records: Mapping[str, SourceRecord]) -> Iterator[Refusal]:
    row = protocol_named(said.protocol.value)
    naming = {id_ for id_, record in records.items() if _names(record, row.base_of(said.base_url.value), row)}
    for cited in said.base_url.records:
        if cited in records and cited not in naming:
            yield Refusal(field="base_url", reason=f"record {cited} does not give this address in any of its fields")
    if not any(records[id_].trusted for id_ in naming):
        yield Refusal(field="base_url", reason="no trusted record and no operator names this address")
    elif not any(records[id_].trusted for id_ in naming & set(said.base_url.records)):
        yield Refusal(field="base_url", reason="cite a trusted record that gives it")


def _names(record: SourceRecord, base_url: str, row: WireProtocol) -> bool:
    return any(base_url in row.bases(address) for address in addresses(record.payload))


def _wrong_protocol(evidence: Evidence, said: SpecProposal, records: Mapping[str, SourceRecord]) -> Iterator[Refusal]:
    for cited in said.protocol.records:
        record = records.get(cited)
        if record and any(evidence.rejects(record.source, field) for field in ("protocol", "package")):
            yield Refusal(field="protocol", reason=f"the operator rejected what record {cited} says of it")
        elif record and not _speaks_of(record, said.protocol.value):
            yield Refusal(field="protocol", reason=f"record {cited} says nothing of {said.protocol.value}")


def _speaks_of(record: SourceRecord, protocol: str) -> bool:
    """Whether it names the protocol, whose it is, its path or a package that speaks it, or saw it answered.

    Whose it is says nothing of a mapping: many list a Gemini model who do not speak as Google does.
    """
    row = protocol_named(protocol)
    chats = [endpoint.path for endpoint in row.endpoints if endpoint.operation == "chat"]
    if seen := observations_of(record):
        # What was asked for stands in these records, too: only that it was there says something.
        return any(one.path in chats and one.status not in _NOT_HERE for one in seen)
    # Of a path that has the model in it, what stands behind that.
    marks = [path.rpartition("{model}")[2].lower() for path in chats] + (
        [] if row.rest else [protocol.partition("_")[0]]
    )
    for path, value in leaves(record.payload):
        if value == protocol or (isinstance(value, str) and PROTOCOL_OF_PACKAGE.get(value) == protocol):
            return True
        if isinstance(value, str) and any(mark in text.lower() for mark in marks for text in (value, ".".join(path))):
            return True
    return False


def _wrong_auth(
    evidence: Evidence, said: Cited[ProposedAuth], records: Mapping[str, SourceRecord], loops: Mapping[str, Attempt]
) -> Iterator[Refusal]:
    if not set(said.records) & set(records):
        yield Refusal(field="auth", reason="cite a record, not attempts alone")
    if said.value.kind == "none":
        return
    way = said.value.header.lower(), said.value.scheme
    cited = [text for id_ in said.records for text in _texts_of(id_, records, loops)]
    if way not in _USUAL_AUTH and not any(way[0] in text.lower() for text in cited):
        yield Refusal(field="auth", reason=f"what is cited does not name the header {said.value.header}")
    usual = auths(evidence, OPENAI_CHAT)[0][0].env
    trusted = {value for one in evidence.records if one.trusted for path, value in leaves(one.payload) if "env" in path}
    for variable in said.value.env:
        # A variable's content is sent as the key: a stranger's word must not choose which.
        if variable not in trusted and variable not in usual:
            yield Refusal(field="auth", reason=f"no trusted record names the variable {variable}")


def _wrong_headers(
    said: SpecProposal, records: Mapping[str, SourceRecord], loops: Mapping[str, Attempt]
) -> Iterator[Refusal]:
    if said.headers is None:
        return
    cited = [text.lower() for id_ in said.headers.records for text in _texts_of(id_, records, loops)]
    for header in said.headers.value:
        for what in (header.name, header.value):
            if not any(what.lower() in text for text in cited):
                yield Refusal(field="headers", reason=f"what is cited does not say {what}")


def _texts_of(id_: str, records: Mapping[str, SourceRecord], loops: Mapping[str, Attempt]) -> Iterator[str]:
    if record := records.get(id_):
        for path, value in leaves(record.payload):
            yield from (".".join(path), str(value))
    if attempt := loops.get(id_):
        yield from (result.detail for result in attempt.report.failed)


def _wrong_models(evidence: Evidence, said: SpecProposal, records: Mapping[str, SourceRecord]) -> Iterator[Refusal]:
    for field, cited, ids in (
        ("models", said.models, said.models.value if said.models else ()),
        ("test_model", said.test_model, (said.test_model.value,) if said.test_model else ()),
    ):
        for one in ids:
            listed = cited and any(one in _words(records[id_]) for id_ in cited.records if id_ in records)
            if not listed and not (one == evidence.identifier.model and evidence.record("operator")):
                yield Refusal(field=field, reason=f"what is cited does not list the model {one}")


def _words(record: SourceRecord) -> set[str]:
    """Every text and every name of a field in a record."""
    return {word for path, value in leaves(record.payload) for word in (*path, str(value))}


def _spec(evidence: Evidence, said: SpecProposal, records: Mapping[str, SourceRecord]) -> ClientSpec:
    """What was said, filled in by rules where nothing was. Raises what `resolve` and the rules raise."""
    row = protocol_named(said.protocol.value)
    base_url = row.base_of(said.base_url.value)
    auth, auth_record = _auth(evidence, said.auth, row, records)
    models, test_model, models_record = _models(evidence, said, base_url, records)
    url_record = next(records[id_] for id_ in said.base_url.records if records[id_].trusted)
    name, name_record = name_of(evidence, url_record)
    cited = {
        "name": name_record,
        "protocol": records[said.protocol.records[0]],
        "endpoints": records[said.protocol.records[0]],
        "base_url": url_record,
        "auth": auth_record,
        "models": models_record,
    }
    return resolve(
        evidence,
        name=name,
        protocol=said.protocol.value,
        base_url=base_url,
        auth=auth,
        models=models,
        test_model=test_model,
        headers={header.name: header.value for header in said.headers.value} if said.headers else None,
        quirks=said.quirks.value if said.quirks else None,
        cited={field: record.id for field, record in cited.items()},
    )


def _auth(
    evidence: Evidence, said: Cited[ProposedAuth] | None, row: WireProtocol, records: Mapping[str, SourceRecord]
) -> tuple[Auth, SourceRecord]:
    by_rules = auths(evidence, row)[0]
    if said is None:
        return by_rules
    record = next(records[id_] for id_ in said.records if id_ in records)
    if said.value.kind == "none":
        return Auth(kind="none"), record
    env = said.value.env or by_rules[0].env
    return Auth(header=said.value.header, scheme=said.value.scheme, env=env), record


def _models(
    evidence: Evidence, said: SpecProposal, base_url: str, records: Mapping[str, SourceRecord]
) -> tuple[tuple[Model, ...], str, SourceRecord]:
    if said.models is None:
        models, test_model, record = models_for(evidence, base_url, protocol_named(said.protocol.value))
    else:
        known = {model.id: model for model in models_of(evidence.listed[1])} if evidence.listed else {}
        ids = sorted({*said.models.value, *([evidence.identifier.model] if evidence.identifier.model else [])})
        models, record = tuple(known.get(id_) or Model(id=id_) for id_ in ids), records[said.models.records[0]]
        test_model = evidence.identifier.model or models[0].id
    return models, said.test_model.value if said.test_model and not evidence.identifier.model else test_model, record
