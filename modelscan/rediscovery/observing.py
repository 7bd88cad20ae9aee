"""What a provider is like by what its records say: by rules alone, and without the operator's pins.

A pin is the operator's own word, and no change of the provider; a source that they rejected is not heard.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from pydantic import JsonValue, ValidationError

from modelscan.errors import ModelScanError, NotEnoughEvidence, UnsupportedProtocol
from modelscan.sources.gpustack import chat_models_of
from modelscan.synthesis.claims import auths, base_urls, protocols
from modelscan.synthesis.dossier import known
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.settled import OF_AN_OWN_SERVER, claims_of
from modelscan.types import (
    Auth,
    Decision,
    DriftEvidence,
    Identifier,
    Known,
    ModelState,
    Observed,
    ProviderState,
    SourceRecord,
    Tariff,
    canonical_json,
    digest_of,
)
from modelscan.wire import WireProtocol

__all__ = ["inputs_of", "resting_on", "state_of"]

RULES = 1
"""Of this module: where it reads the same records otherwise than before, this is another number."""
_LIMITS = ("context_tokens", "output_tokens")
_ADDRESSES = (("builtin", "base_url"), ("models.dev", "api"))
_PRICE = "price."


def inputs_of(records: Iterable[SourceRecord], decisions: Iterable[Decision] = ()) -> str:
    """A digest of all that a state is made of: where it is the same, so is the state."""
    rejected = sorted([one.subject, one.field, one.source or ""] for one in decisions if one.kind == "reject")
    return digest_of([RULES, sorted(record.id for record in records), rejected])


def state_of(provider: str, records: Collection[SourceRecord], decisions: Iterable[Decision] = ()) -> ProviderState:
    """The provider as these records have it; one record at least."""
    rejections = tuple(one for one in decisions if one.kind == "reject")
    evidence = Evidence(identifier=Identifier(provider=provider), records=tuple(records), decisions=rejections)
    listed, models = _models(evidence)
    row, protocol = _protocol(evidence)
    state = ProviderState(
        provider=provider,
        record=listed.id,
        protocol=protocol,
        base_url=_base_url(evidence, row),
        auth=_auth(evidence, row),
        models=_with_what_counts(evidence, models),
    )
    return resting_on(state, {record.id: DriftEvidence.of(record) for record in records})


def resting_on(state: ProviderState, evidence: Mapping[str, DriftEvidence]) -> ProviderState:
    """The state with as much of the evidence as it rests on, by record."""
    named = _named(state)
    return state.model_copy(update={"evidence": {id_: one for id_, one in evidence.items() if id_ in named}})


def _models(evidence: Evidence) -> tuple[SourceRecord, dict[str, SourceRecord]]:
    """(the record that lists the models, model -> the record that lists it).

    What models.dev lists, as far as the provider itself lists it, too, where that was asked. Else the provider's own
    list, and last whom a price list speaks of.
    """
    listed, itself, stack = (evidence.record(source) for source in ("models.dev", "provider", "gpustack"))
    theirs = {model.id for model in evidence.listed[1]} if evidence.listed else set()
    served = {id_ for seen in evidence.observations if seen.shape == "models" for id_ in seen.models}
    if evidence.record("operator") and stack and (chatting := chat_models_of(stack)):
        return stack, dict.fromkeys(sorted(chatting), stack)
    if listed and theirs and not evidence.record("operator"):
        return listed, dict.fromkeys(sorted(theirs & served or theirs), listed)
    if itself and served:
        return itself, dict.fromkeys(sorted(served), itself)
    priced = {claim.subject.partition("/")[2]: claim.record for claim in claims_of(evidence) if "/" in claim.subject}
    by_id = {record.id: record for record in evidence.records}
    return listed or evidence.records[0], {model: by_id[record] for model, record in sorted(priced.items())}


def _protocol(evidence: Evidence) -> tuple[WireProtocol | None, Observed | None]:
    try:
        row, record = protocols(evidence)[0]
    except (UnsupportedProtocol, NotEnoughEvidence) as error:
        record_ = evidence.record("builtin") or evidence.record("models.dev")
        said = error.fields.get("protocol") or error.fields.get("package")
        return None, Observed(value=str(said), record=record_.id) if record_ and said else None
    except (ModelScanError, IndexError):
        return None, None
    return row, Observed(value=row.dialect, record=record.id)


def _base_url(evidence: Evidence, row: WireProtocol | None) -> Observed | None:
    """Also where there is no template for the protocol: then as a list has it."""
    if row:
        try:
            url, record = base_urls(evidence, row)[0]
        except (NotEnoughEvidence, IndexError):
            return None
        return Observed(value=url, record=record.id)
    for source, field in _ADDRESSES:
        record_, named = evidence.record(source), evidence.claim(source, field)
        if record_ and named:
            return Observed(value=named.rstrip("/"), record=record_.id)
    return None


def _auth(evidence: Evidence, row: WireProtocol | None) -> Observed | None:
    found = auths(evidence, row) if row else []
    if found:
        auth, record = found[0]
        return Observed(value=_carried(auth), record=record.id)
    listed = evidence.listed
    record_ = evidence.record("models.dev")
    return (
        Observed(value=" or ".join(listed[0].env), record=record_.id) if listed and record_ and listed[0].env else None
    )


def _carried(auth: Auth) -> str:
    if auth.kind == "none":
        return "no key"
    held = f" from {' or '.join(auth.env)}" if auth.env else ""
    return f"key in {' '.join(filter(None, (auth.header, auth.scheme)))}{held}"


def _with_what_counts(evidence: Evidence, models: Mapping[str, SourceRecord]) -> dict[str, ModelState]:
    """Each model with the price and the limits that count of it, by the dossier's rules."""
    prices: dict[str, dict[str, Observed]] = defaultdict(dict)
    limits: dict[str, dict[str, Observed]] = defaultdict(dict)
    for one in _known(evidence, models):
        model = one.subject.partition("/")[2]
        value = _counting(one.field, one.chosen.value) if one.chosen else None
        if one.chosen is None or value is None:
            continue
        said = Observed(value=_text(value), record=one.chosen.record)
        if one.field.startswith(_PRICE):
            prices[model][one.field.removeprefix(_PRICE)] = said
        else:
            limits[model][one.field] = said
    return {
        model: ModelState(record=record.id, prices=prices[model], limits=limits[model])
        for model, record in models.items()
    }


def _known(evidence: Evidence, models: Mapping[str, SourceRecord]) -> Iterator[Known]:
    subjects = {f"{evidence.identifier.provider}/{model}" for model in models}
    own = evidence.record("operator") is not None
    claims = claims_of(evidence, lambda fact: fact.subject in subjects and _is_compared(fact.field))
    yield from known((one for one in claims if not own or one.source in OF_AN_OWN_SERVER), evidence.decisions)


def _is_compared(field: str) -> bool:
    return field in _LIMITS or field.removeprefix(_PRICE) in Tariff.model_fields


def _counting(field: str, value: JsonValue) -> JsonValue:
    """The value as far as it counts: lists say 0.09999999999999999 one day and 0.1 the next. None where it is none."""
    if not field.startswith(_PRICE):
        return value
    name = field.removeprefix(_PRICE)
    try:
        return Tariff.model_validate({name: value}).stated().get(name)
    except ValidationError:
        return None


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _named(state: ProviderState) -> set[str]:
    """The records that a state rests on."""
    of_provider = {one.record for one in (state.protocol, state.base_url, state.auth) if one}
    of_models = {
        one.record for model in state.models.values() for one in (*model.prices.values(), *model.limits.values())
    }
    return {state.record, *of_provider, *of_models, *(model.record for model in state.models.values())}
