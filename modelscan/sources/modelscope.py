"""ModelScope: a model as its open API or its older one tells it, and what its API-Inference serves.

Facts of a model: `license`, `parameters`, `task`, `gated`, `api_inference` (whether API-Inference serves it); of
ModelScope as a provider `models`.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from modelscan.sources.hub_id import hub_id_of
from modelscan.sources.quantities import Tokens
from modelscan.sources.source import Said, Source, SourceRequest, answer_or_gap
from modelscan.types import ModelId, SourceGap, SourceRecord

__all__ = ["MODELSCOPE", "claims", "detail_of", "served_of"]

NAME = "modelscope"
_MAX_BYTES = 4 * 2**20
_MAX_MODELS = 5_000
_MAX_ID = 256
_LICENSE = 128


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def _names(value: Any) -> Any:
    """The names in the older API's lists of tasks, `[{"Name": …}]`."""
    return [one["Name"] for one in value if isinstance(one, dict) and "Name" in one] if isinstance(value, list) else ()


class Detail(_Theirs):
    """`data` of the open API."""

    license: str | None = Field(default=None, max_length=_LICENSE)
    params: Tokens | None = None
    gated: bool | None = None
    tags: tuple[str, ...] = ()
    """Such as `library:gguf` and `task:text-generation`."""


class OlderDetail(_Theirs):
    """`Data` of the older API, whose names are in PascalCase."""

    license: str | None = Field(default=None, alias="License", max_length=_LICENSE)
    tasks: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(default=(), alias="Tasks")
    api_inference: bool | None = Field(default=None, alias="SupportApiInference")
    served_as: str | None = Field(
        default=None, validation_alias=AliasPath("BackendSupport", "model_id"), max_length=_MAX_ID
    )


class Listed(_Theirs):
    """A row of API-Inference's `/v1/models`."""

    id: ModelId


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """The asked model, and, where ModelScope itself is the provider, what it serves."""
    model, own = hub_id_of(request.identifier), _is_own(request)
    if model is None and not own:
        return None
    hub, serving = request.settings.modelscope_url.rstrip("/"), request.settings.modelscope_inference_url.rstrip("/")
    open_url, served_url = f"{hub}/openapi/v1/models/{model}", f"{serving}/models"
    asked = [_detail(request, model, (open_url, f"{hub}/api/v1/models/{model}"))] if model else []
    asked += [_served(request, served_url)] if own else []
    came = await asyncio.gather(*asked)
    gaps = [one for one in came if isinstance(one, SourceGap)]
    if len(gaps) == len(came):
        return gaps[0]
    payload: dict[str, JsonValue] = {}
    for one in came:
        payload |= {} if isinstance(one, SourceGap) else one
    note = payload.pop("note", "")
    return SourceRecord.of(
        source=NAME,
        subject=MODELSCOPE.subject(request),
        url=open_url if model else served_url,
        payload=payload,
        trusted=False,
        note="; ".join(filter(None, [str(note), *(gap.reason for gap in gaps)])),
    )


def _is_own(request: SourceRequest) -> bool:
    return request.identifier.provider == NAME and not request.operator_named


async def _detail(request: SourceRequest, model: str, urls: Sequence[str]) -> dict[str, JsonValue] | SourceGap:
    """The open API's answer; where it has none of this model, the older API's."""
    gaps: list[SourceGap] = []
    for one in urls:
        came = await answer_or_gap(request, NAME, one, limit=_MAX_BYTES)
        if isinstance(came, SourceGap):
            gaps.append(came)
            if came.kind == "unreachable":
                break
        elif (found := detail_of(came.json_body, model)) is not None:
            return {"model": found}
        else:
            gaps.append(
                SourceGap(source=NAME, kind="malformed", reason=f"{one} answered in a form that cannot be read")
            )
    return gaps[0]


def detail_of(body: Any, model: str) -> dict[str, JsonValue] | None:
    """What is kept of one model, from either form of answer; None where it is neither, or says that it failed.

    The open API's may be the model itself or a list that it stands in.
    """
    if not isinstance(body, dict):
        return None
    data = body.get("data")
    if isinstance(data, dict) and isinstance(data.get("models"), list):
        data = next((one for one in data["models"] if isinstance(one, dict) and one.get("id") == model), None)
    try:
        if body.get("success") is True and isinstance(data, dict):
            return Detail.model_validate(data).model_dump(mode="json", exclude_none=True)
        if body.get("Success") is True and isinstance(body.get("Data"), dict):
            return OlderDetail.model_validate(body["Data"]).model_dump(mode="json", exclude_none=True)
    except ValidationError:
        return None
    return None


async def _served(request: SourceRequest, url: str) -> dict[str, JsonValue] | SourceGap:
    came = await answer_or_gap(request, NAME, url, limit=_MAX_BYTES)
    if isinstance(came, SourceGap):
        return came
    if (found := served_of(came.json_body)) is None:
        return SourceGap(source=NAME, kind="malformed", reason=f"{url} answered no list of models")
    served, bad = found
    note = f"{bad} of {len(served) + bad} served models cannot be read" if bad else ""
    return {"served": list(served), "note": note}


def served_of(body: Any) -> tuple[tuple[str, ...], int] | None:
    """(ids of what API-Inference serves, how many rows cannot be read); None where it is no list."""
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        return None
    good = []
    for row in rows[:_MAX_MODELS]:
        with suppress(ValidationError):
            good.append(Listed.model_validate(row).id)
    return tuple(sorted(set(good))), min(len(rows), _MAX_MODELS) - len(good)


def claims(record: SourceRecord, _models: Collection[str] = ()) -> Iterable[Said]:
    """What a record says of the model, and of what is served."""
    payload = record.payload if isinstance(record.payload, dict) else {}
    found, served = payload.get("model"), payload.get("served")
    detail = found if isinstance(found, dict) else {}
    tags = [tag for tag in _texts(detail.get("tags")) if tag.startswith("task:")]
    tasks = [*_texts(detail.get("tasks")), *(tag.removeprefix("task:") for tag in tags)]
    values: dict[str, JsonValue] = {
        "license": detail.get("license"),
        "parameters": detail.get("params"),
        "gated": detail.get("gated"),
        "task": tasks[0] if tasks else None,
        "api_inference": detail.get("api_inference"),
    }
    ids = _texts(served)
    provider, _, model = record.subject.partition("/")
    if model:
        if ids and values["api_inference"] is None:
            values["api_inference"] = model.partition(":")[0] in ids
        yield from (Said(record.subject, field, value) for field, value in values.items() if value not in (None, ""))
    if ids and provider == NAME:
        yield Said(NAME, "models", list(ids))


def _texts(value: JsonValue) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _concerns(request: SourceRequest) -> bool:
    return _is_own(request) or (request.deep and hub_id_of(request.identifier) is not None)


MODELSCOPE = Source(name=NAME, fetch=fetch, concerns=_concerns, per_model=True, confidence=0.8, claims=claims)
