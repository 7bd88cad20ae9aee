"""Which models a client serves: what the provider itself lists, with what models.dev knows of them."""

import difflib
import re
from collections.abc import Sequence

from modelscan.errors import NotEnoughEvidence, UnknownIdentifier, UnsupportedProtocol
from modelscan.sources.gpustack import chat_models_of
from modelscan.sources.models_dev import ListedModel, ListedProvider, models_of
from modelscan.synthesis.evidence import Evidence
from modelscan.types import Model, SourceRecord, fits_a_path
from modelscan.wire import WireProtocol

__all__ = ["left_out", "models_for"]

_NEAREST = 5
_NO_CHAT = re.compile(r"embed|rerank|whisper|(^|[/-])(bge|tts|melotts)-", re.IGNORECASE)
"""models.dev lists embeddings and the like as answering in text; only their names and families tell."""
_EMBEDS = re.compile(r"embed|(^|[/-])bge-(?!rerank)", re.IGNORECASE)


def models_for(evidence: Evidence, base_url: str, row: WireProtocol) -> tuple[tuple[Model, ...], str, SourceRecord]:
    """(models by id, the one to validate with, the record they rest on).

    Raises UnknownIdentifier where the asked model is not among them, NotEnoughEvidence where there is none.
    """
    models, record = _models(evidence, base_url, row)
    if any("{model}" in endpoint.path for endpoint in row.endpoints):
        models = tuple(model for model in models if fits_a_path(model.id))
    chatting = tuple(model for model in models if "embeddings" not in model.capabilities)
    if not chatting:
        raise _no_models(evidence)
    asked = evidence.identifier.model
    ids = [model.id for model in models]
    if asked is not None and asked not in ids:
        nearest = difflib.get_close_matches(asked, ids, n=_NEAREST, cutoff=0.3) or ids[:_NEAREST]
        raise UnknownIdentifier(
            f"{evidence.identifier.provider} does not list the model {asked!r}. It has {', '.join(nearest)}.",
            hint=f"modelscan add {evidence.identifier.provider}/{nearest[0]}",
            nearest=[f"{evidence.identifier.provider}/{one}" for one in nearest],
        )
    tried = asked if asked in {model.id for model in chatting} else None
    return models, tried or _to_try(chatting, evidence), record


def _models(evidence: Evidence, base_url: str, row: WireProtocol) -> tuple[tuple[Model, ...], SourceRecord]:
    known = {model.id: model for model in models_of(_chatting(evidence))}
    if row.endpoint("embeddings"):
        known |= {model.id: _embedding(model) for model in models_of(_making_vectors(evidence))}
    itself, listed_record = evidence.record("provider"), evidence.record("models.dev")
    served = _served(evidence, base_url, row)
    if evidence.record("operator"):
        return _of_own_server(evidence, served, row)
    if itself and (both := [known.get(id_) or Model(id=id_) for id_ in served if _wanted(id_, known, evidence)]):
        return tuple(both), itself
    if known and listed_record:
        return tuple(known[id_] for id_ in sorted(known)), listed_record
    builtin, stated = evidence.record("builtin"), _stated(evidence)
    if builtin and stated:
        return stated, builtin
    if itself and served and not _other_ways(evidence):
        return tuple(Model(id=id_) for id_ in served), itself
    raise _no_models(evidence)


def _stated(evidence: Evidence) -> tuple[Model, ...]:
    """The models that our own row of a provider names."""
    builtin = evidence.record("builtin")
    stated = builtin.payload.get("models") if builtin and isinstance(builtin.payload, dict) else None
    return tuple(Model(id=str(id_)) for id_ in stated) if isinstance(stated, list) else ()


def _no_models(evidence: Evidence) -> UnsupportedProtocol | NotEnoughEvidence:
    provider = evidence.identifier.provider
    if ways := _other_ways(evidence):
        return UnsupportedProtocol(
            f"All chat models of {provider} are spoken to otherwise: {', '.join(ways)}.",
            hint=f"If it also has an OpenAI-compatible address: modelscan add {evidence.identifier} --base-url URL",
            protocol=ways[0],
        )
    return NotEnoughEvidence(
        f"Not enough evidence for {provider}: no source lists a model that chats.",
        hint=f"If you know one: modelscan add {provider}/MODEL --base-url URL",
    )


def _other_ways(evidence: Evidence) -> list[str]:
    """The packages, shapes or URLs of their own that the listed chat models are spoken to with."""
    own = [model.provider for model in _listed(evidence) if _chats(model) and model.provider]
    return sorted({way for other in own for way in (other.npm, other.shape, other.api) if way})


def _wanted(id_: str, known: dict[str, Model], evidence: Evidence) -> bool:
    """Of a provider's own list: what models.dev says chats, and what was asked for (newer than models.dev knows)."""
    return id_ in known or id_ == evidence.identifier.model


def _of_own_server(
    evidence: Evidence, served: tuple[str, ...], row: WireProtocol
) -> tuple[tuple[Model, ...], SourceRecord]:
    """What it lists, or on its operator's word alone the model that was asked for."""
    itself, operator, stack = (evidence.record(source) for source in ("provider", "operator", "gpustack"))
    if stack and (chatting := chat_models_of(stack)):
        return tuple(Model(id=id_, context_tokens=size) for id_, size in chatting.items() if _usable(id_)), stack
    if itself and served:
        vectors = {id_ for id_ in served if row.endpoint("embeddings") and _EMBEDS.search(id_)}
        if vectors == set(served):  # Its names may mislead: what nothing else is said of is taken to chat.
            vectors = set()
        return tuple(_embedding(Model(id=id_)) if id_ in vectors else Model(id=id_) for id_ in served), itself
    if operator and evidence.identifier.model:
        return (Model(id=evidence.identifier.model),), operator
    raise NotEnoughEvidence(
        f"Not enough evidence for {evidence.identifier.provider}: the server lists no models.",
        hint=f"Name one: modelscan add {evidence.identifier.provider}/MODEL --base-url URL",
    )


def _served(evidence: Evidence, base_url: str, row: WireProtocol) -> tuple[str, ...]:
    """The ids in the provider's own list, sorted; those that cannot be ids of ours are left out."""
    listing = row.endpoint("models")
    for seen in evidence.observations:
        here = listing is not None and seen.base_url + seen.path == base_url + listing.path
        if here and seen.shape == "models" and seen.models:
            return tuple(sorted({id_ for id_ in seen.models if _usable(id_)}))
    return ()


def _usable(id_: str) -> bool:
    return bool(id_) and len(id_) <= 256 and id_.isprintable() and id_ == id_.strip()


def _listed(evidence: Evidence) -> tuple[ListedModel, ...]:
    return evidence.listed[1] if evidence.listed else ()


def left_out(evidence: Evidence, row: WireProtocol) -> int:
    """How many readable models of models.dev's list neither chat in this protocol nor make vectors in it."""
    kept = {model.id for model in _chatting(evidence)}
    if row.endpoint("embeddings"):
        kept |= {model.id for model in _making_vectors(evidence)}
    return len(_listed(evidence)) - len(kept)


def _chatting(evidence: Evidence) -> list[ListedModel]:
    """Those of models.dev that chat in text and in their provider's own way; others have another protocol or URL."""
    if evidence.listed is None:
        return []
    provider, models, _ = evidence.listed
    return [model for model in models if _chats(model) and _same_way(model, provider)]


def _making_vectors(evidence: Evidence) -> list[ListedModel]:
    """Those of models.dev that make vectors of texts, in their provider's own way."""
    if evidence.listed is None:
        return []
    provider, models, _ = evidence.listed
    named = [model for model in models if _EMBEDS.search(f"{model.family or ''} {model.id}")]
    return [model for model in named if "text" in model.modalities.input and _same_way(model, provider)]


def _embedding(model: Model) -> Model:
    return model.model_copy(update={"capabilities": ("embeddings",)})


def _chats(model: ListedModel) -> bool:
    text = "text" in model.modalities.input and "text" in model.modalities.output
    return text and not _NO_CHAT.search(f"{model.family or ''} {model.id}")


def _same_way(model: ListedModel, provider: ListedProvider) -> bool:
    other = model.provider
    return other is None or (
        other.npm in (None, provider.npm) and other.api is None and other.shape in (None, "completions")
    )


def _to_try(models: tuple[Model, ...], evidence: Evidence) -> str:
    """The cheapest model that calls tools, as guards and OCR do not, and is not deprecated; else the cheapest."""
    old = {model.id for model in _listed(evidence) if model.status == "deprecated"}
    sure = [model for model in models if "tool_call" in model.capabilities and model.id not in old]
    return _cheapest(sure or models)


def _cheapest(models: Sequence[Model]) -> str:
    """The model with the lowest known price for output; without any, the first."""
    priced = [(model.price.output_mtok, model.id) for model in models if model.price and model.price.output_mtok]
    return min(priced)[1] if priced else models[0].id
