"""GPUStack's model catalogue, a YAML file: families of open models with their context, abilities and licences.

Facts of a model: `nominal_context` (such as 128K), `abilities`, `categories`, `license`, `family_name`; the catalogue
knows a model by the name of its set, or by the repository that holds its weights.
"""

import hashlib
import re
from collections.abc import Collection, Iterable

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from modelscan.sources.source import Said, Source, SourceRequest, answer_or_gap
from modelscan.sources.yaml_text import NotRead, read_yaml
from modelscan.types import SourceGap, SourceRecord

__all__ = ["GPUSTACK_CATALOGUE", "claims", "sets_of"]

NAME = "gpustack-catalogue"
_MAX_BYTES = 4 * 2**20
_MAX_NODES = 200_000
_CONTEXT = re.compile(r"context/(\d{1,6}[KM])")


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Spec(_Theirs):
    """One way to run a model, of which only the place of its weights is read."""

    huggingface_repo_id: str | None = Field(default=None, max_length=256)
    model_scope_model_id: str | None = Field(default=None, max_length=256)


class ModelSet(_Theirs):
    """One family member."""

    name: str = Field(min_length=1, max_length=128)
    categories: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    """Such as `context/128K` and `tools`."""
    licenses: tuple[str, ...] = ()
    specs: tuple[Spec, ...] = ()


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """The catalogue, in short."""
    url = request.settings.gpustack_catalogue_url
    came = await answer_or_gap(request, NAME, url, limit=_MAX_BYTES, headers={"accept": "*/*"})
    if isinstance(came, SourceGap):
        return came
    text = came.body.decode("utf-8", "replace")
    try:
        listed = await anyio.to_thread.run_sync(lambda: read_yaml(text, nodes=_MAX_NODES))
    except NotRead as error:
        return SourceGap(source=NAME, kind="malformed", reason=f"{url}: {error}")
    if (found := sets_of(listed)) is None:
        return SourceGap(source=NAME, kind="malformed", reason=f"{url} holds no model sets")
    sets, bad = found
    payload: JsonValue = {"sets": [_short(one) for one in sets]}
    note = f"{bad} of {len(sets) + bad} model sets cannot be read" if bad else ""
    subject = request.identifier.provider
    sha256 = hashlib.sha256(came.body).hexdigest()
    return SourceRecord.of(
        source=NAME, subject=subject, url=url, payload=payload, trusted=False, note=note, sha256=sha256
    )


def sets_of(listed: JsonValue) -> tuple[list[ModelSet], int] | None:
    """(the sets, how many cannot be read); None where the file holds none. Older files are the list itself."""
    rows = listed.get("model_sets") if isinstance(listed, dict) else listed
    if not isinstance(rows, list):
        return None
    sets = []
    for row in rows:
        try:
            sets.append(ModelSet.model_validate(row))
        except ValidationError:
            continue
    return sets, len(rows) - len(sets)


def _short(one: ModelSet) -> JsonValue:
    repositories = {spec.huggingface_repo_id or spec.model_scope_model_id or "" for spec in one.specs} - {""}
    short = one.model_dump(mode="json", include={"name", "categories", "capabilities", "licenses"})
    return {**short, "repositories": sorted(repositories)}


class Short(_Theirs):
    """A set as a record of ours keeps it."""

    name: str
    categories: list[str]
    capabilities: list[str]
    licenses: list[str]
    repositories: list[str]


_SHORTS = TypeAdapter(list[Short])


def claims(record: SourceRecord, models: Collection[str] = ()) -> Iterable[Said]:
    """What the catalogue says of those models of the provider that it knows."""
    payload = record.payload if isinstance(record.payload, dict) else {}
    try:
        sets = _SHORTS.validate_python(payload.get("sets"))
    except ValidationError:
        return
    known = {alias.lower(): one for one in sets for alias in (*one.repositories, one.name)}
    for model in sorted(models):
        if one := known.get(model.partition(":")[0].lower()):
            subject = f"{record.subject}/{model}"
            yield from (Said(subject, field, value) for field, value in _values(one) if value)


def _values(one: Short) -> Iterable[tuple[str, JsonValue]]:
    contexts = [found for text in one.capabilities if (found := _CONTEXT.fullmatch(text))]
    yield "nominal_context", contexts[0][1] if contexts else None
    yield "abilities", [text for text in one.capabilities if not _CONTEXT.fullmatch(text)]
    yield "categories", list(one.categories)
    yield "license", one.licenses[0] if len(one.licenses) == 1 else list(one.licenses)
    yield "family_name", one.name


def _concerns(request: SourceRequest) -> bool:
    return request.deep


GPUSTACK_CATALOGUE = Source(name=NAME, fetch=fetch, concerns=_concerns, of_weights=True, confidence=0.7, claims=claims)
