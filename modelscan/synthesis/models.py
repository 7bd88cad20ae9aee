"""Which models a client serves: what the provider itself lists, with what models.dev knows of them."""

import difflib
from collections.abc import Iterable

from modelscan.errors import NotEnoughEvidence, UnknownIdentifier
from modelscan.sources.models_dev import ListedModel, models_of
from modelscan.synthesis.evidence import Evidence
from modelscan.types import Model, SourceRecord

__all__ = ["models_for"]

_NEAREST = 5


def models_for(evidence: Evidence, base_url: str) -> tuple[tuple[Model, ...], str, SourceRecord]:
    """(models by id, the one to validate with, the record they rest on).

    Raises UnknownIdentifier where the asked model is not among them, NotEnoughEvidence where there is none.
    """
    models, record = _models(evidence, base_url)
    asked = evidence.identifier.model
    ids = [model.id for model in models]
    if asked is not None and asked not in ids:
        nearest = difflib.get_close_matches(asked, ids, n=_NEAREST, cutoff=0.3) or ids[:_NEAREST]
        raise UnknownIdentifier(
            f"{evidence.identifier.provider} does not list the model {asked!r}. It has {', '.join(nearest)}.",
            hint=f"modelscan add {evidence.identifier.provider}/{nearest[0]}",
            nearest=[f"{evidence.identifier.provider}/{one}" for one in nearest],
        )
    return models, asked or _cheapest(models), record


def _models(evidence: Evidence, base_url: str) -> tuple[tuple[Model, ...], SourceRecord]:
    known = {model.id: model for model in models_of(_chatting(evidence))}
    itself, listed_record = evidence.record("provider"), evidence.record("models.dev")
    served = _served(evidence, base_url)
    if evidence.record("operator"):
        return _of_own_server(evidence, served)
    if itself and served and (both := [known[id_] for id_ in served if id_ in known]):
        return tuple(both), itself
    if known and listed_record:
        return tuple(known.values()), listed_record
    builtin = evidence.record("builtin")
    payload = builtin.payload if builtin and isinstance(builtin.payload, dict) else {}
    stated = payload.get("models")
    if builtin and isinstance(stated, list) and stated:
        return tuple(Model(id=str(id_)) for id_ in stated), builtin
    if itself and served:
        return tuple(Model(id=id_) for id_ in served), itself
    raise NotEnoughEvidence(
        f"Not enough evidence for {evidence.identifier.provider}: no source lists a model that answers in text.",
        hint=f"If you know one: modelscan add {evidence.identifier.provider}/MODEL --base-url URL",
    )


def _of_own_server(evidence: Evidence, served: tuple[str, ...]) -> tuple[tuple[Model, ...], SourceRecord]:
    """What it lists, or on its operator's word alone the model that was asked for."""
    itself, operator = evidence.record("provider"), evidence.record("operator")
    if itself and served:
        return tuple(Model(id=id_) for id_ in served), itself
    if operator and evidence.identifier.model:
        return (Model(id=evidence.identifier.model),), operator
    raise NotEnoughEvidence(
        f"Not enough evidence for {evidence.identifier.provider}: the server lists no models.",
        hint=f"Name one: modelscan add {evidence.identifier.provider}/MODEL --base-url URL",
    )


def _served(evidence: Evidence, base_url: str) -> tuple[str, ...]:
    """The ids in the provider's own list, sorted; those that cannot be ids of ours are left out."""
    for seen in evidence.observations:
        if seen.base_url == base_url and seen.shape == "models" and seen.models:
            return tuple(sorted({id_ for id_ in seen.models if _usable(id_)}))
    return ()


def _usable(id_: str) -> bool:
    return bool(id_) and len(id_) <= 256 and id_.isprintable() and id_ == id_.strip()


def _chatting(evidence: Evidence) -> Iterable[ListedModel]:
    """Those of models.dev that answer in text and in their provider's own way; others have another protocol or URL."""
    if evidence.listed is None:
        return []
    provider, models, _ = evidence.listed
    return [
        model
        for model in models
        if "text" in model.modalities.output
        and (model.provider is None or (model.provider.npm in (None, provider.npm) and model.provider.api is None))
    ]


def _cheapest(models: tuple[Model, ...]) -> str:
    """The model with the lowest known price for output; without any, the first."""
    priced = [(model.price.output_mtok, model.id) for model in models if model.price and model.price.output_mtok]
    return min(priced)[1] if priced else models[0].id
