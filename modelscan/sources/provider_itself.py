"""The provider itself: what it lists, and how it answers those who have no key."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.sources.http import Answer, ask
from modelscan.sources.source import Said, Source, SourceRequest
from modelscan.types import Frozen, SourceGap, SourceRecord, fits_a_path, is_model_id
from modelscan.wire import WIRE_PROTOCOLS, WireProtocol
from modelscan.wire.openai_chat import OPENAI_CHAT

__all__ = ["PROVIDER", "Observation", "candidates", "observations_of"]

NAME = "provider"
_MAX_BYTES = 8 * 2**20
_MAX_MODELS = 5_000
_MAX_TEXT = 200
_MAX_ID = 256
_KEY_HEADERS = tuple(dict.fromkeys([*((row.auth.header, row.auth.scheme) for row in WIRE_PROTOCOLS), ("api-key", "")]))
_SOME_MODEL = "modelscan"
"""Stands in the path of a chat where no list names a model to ask for."""


class Observation(Frozen):
    """How one request was answered. Never holds a key or a header that carried one."""

    base_url: str
    method: Literal["GET", "POST"]
    path: str
    with_key: bool = False
    key_header: str | None = None
    status: int
    content_type: str = ""
    shape: Literal["models", "error", "json", "other"]
    models: tuple[str, ...] = ()
    unread: int = 0
    """How many rows of a models list have no id that can be read."""
    message: str = ""


class _Question(NamedTuple):
    """One request, and the protocols that have something there: two may have the same place for their models."""

    base: str
    method: Literal["GET", "POST"]
    path: str
    """`{model}` in it stands for a model's id."""
    headers: Mapping[str, str]
    rows: tuple[WireProtocol, ...]


_OBSERVATIONS = TypeAdapter(tuple[Observation, ...])


def candidates(base_url: str) -> tuple[str, ...]:
    """The base URL as given, and its neighbour with or without `/v1`. A chat endpoint's own URL stands for its base."""
    return OPENAI_CHAT.bases(base_url)


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """Ask for the models, without and with the key, and for a chat with an empty body and no key, which is free.

    What a list states is asked as its protocol has it; a server of the operator's own in the ways of all protocols.
    The record is never a trusted one: the provider's own words may not send a key anywhere.
    """
    asked = _questions(request)
    if request.base_url is None or "${" in request.base_url or not asked:
        return None
    try:
        came = await asyncio.gather(*(_one(request.http, one) for one in asked if "{model}" not in one.path))
        named = [(one, _a_model(one, came)) for one in asked if "{model}" in one.path]
        came += await asyncio.gather(*(_one(request.http, one, model=model) for one, model in named))
        seen = [one for one in came if isinstance(one, Observation)]
        if request.key:
            seen += await _with_key(request, asked, seen)
    except HostRefused as error:
        return SourceGap(source=NAME, kind="refused", reason=str(error))
    faults = [one.message for one in came if isinstance(one, SourceUnavailable)]
    if not seen:
        return SourceGap(source=NAME, kind="unreachable", reason=faults[0])
    return SourceRecord.of(
        source=NAME,
        subject=request.identifier.provider,
        url=candidates(request.base_url)[0],
        payload={"observations": [one.model_dump(mode="json") for one in seen]},
        trusted=False,
        note="; ".join(dict.fromkeys((*faults, *_unread(seen)))),
    )


def _protocols(request: SourceRequest) -> tuple[WireProtocol, ...]:
    if request.operator_named:
        return WIRE_PROTOCOLS
    return tuple(row for row in WIRE_PROTOCOLS if row.dialect == (request.protocol or OPENAI_CHAT.dialect))


def _questions(request: SourceRequest) -> list[_Question]:
    """By method and URL; a streamed chat is not asked for, as its place tells no more than that of the chat."""
    asked: dict[tuple[str, str], _Question] = {}
    for row in _protocols(request):
        bases = row.bases(request.base_url or "")
        for base in bases if request.operator_named else bases[:1]:  # what a list states is not varied
            for endpoint in row.endpoints:
                if endpoint.operation in ("embeddings", "stream"):  # Neither place tells more than that of the chat.
                    continue
                place = (endpoint.method, base + endpoint.path)
                one = asked.get(place) or _Question(base, endpoint.method, endpoint.path, row.headers, ())
                asked[place] = one._replace(rows=(*one.rows, row))
    return list(asked.values())


def _a_model(question: _Question, came: Iterable[Observation | SourceUnavailable]) -> str:
    """The first that one of its protocols lists: some say of an unknown one only that there is no such thing."""
    lists = {endpoint.path for row in question.rows if (endpoint := row.endpoint("models"))}
    listed = (one for one in came if isinstance(one, Observation) and one.base_url == question.base)
    ids = (id_ for one in listed if one.path in lists for id_ in one.models if fits_a_path(id_))
    return next(ids, _SOME_MODEL)


def observations_of(record: SourceRecord) -> tuple[Observation, ...]:
    """What a record of this source holds; nothing where an older version wrote it in another form."""
    payload = record.payload
    seen = payload.get("observations") if isinstance(payload, dict) else None
    try:
        return _OBSERVATIONS.validate_python(seen)
    except ValidationError:
        return ()


async def _with_key(
    request: SourceRequest, asked: Sequence[_Question], seen: Sequence[Observation]
) -> list[Observation]:
    """The refused models lists asked for with the key, each in one way after the other until one is accepted."""
    key = request.key.get_secret_value() if request.key else ""
    if not (key.isascii() and key.isprintable()):
        return []
    places = {(one.base_url, one.path) for one in seen if one.method == "GET" and one.status in (401, 403)}
    refused = [one for one in asked if one.method == "GET" and (one.base, one.path) in places]
    found = await asyncio.gather(*(_in_each_way(request, one, key) for one in refused))
    return [one for some in found for one in some]


async def _in_each_way(request: SourceRequest, refused: _Question, key: str) -> list[Observation]:
    seen: list[Observation] = []
    ways = (
        _KEY_HEADERS
        if request.operator_named
        else tuple((row.auth.header, row.auth.scheme) for row in _protocols(request))
    )
    for header, scheme in ways:
        # What a protocol that has its key there needs beside it.
        beside = next((row.headers for row in WIRE_PROTOCOLS if row.auth.header == header), {})
        headers = {**beside, header: f"{scheme} {key}".strip()}
        came = await _one(request.http, refused._replace(headers=headers))
        if isinstance(came, Observation):
            # Servers quote keys in their words.
            models = tuple(id_ for id_ in came.models if key not in id_)
            clean = {"with_key": True, "key_header": header, "message": "", "content_type": "", "models": models}
            seen.append(came.model_copy(update=clean))
            if came.shape == "models":
                break
    return seen


async def _one(http: httpx2.AsyncClient, question: _Question, *, model: str = "") -> Observation | SourceUnavailable:
    more: dict[str, Any] = {"json": {}} if question.method == "POST" else {}
    url = question.base + question.path.replace("{model}", quote(model, safe=""))
    try:
        answer = await ask(http, question.method, url, limit=_MAX_BYTES, headers=question.headers, **more)
    except SourceUnavailable as error:
        return error
    shape, models, unread, message = _shape(answer, question.rows)
    return Observation(
        base_url=question.base,
        method=question.method,
        path=question.path,
        status=answer.status,
        content_type=answer.headers.get("content-type", "")[:_MAX_TEXT],
        shape=shape,
        models=models,
        unread=unread,
        message=message,
    )


def _shape(
    answer: Answer, rows: Iterable[WireProtocol]
) -> tuple[Literal["models", "error", "json", "other"], tuple[str, ...], int, str]:
    """(what the body looks like, the ids of a models list, how many of its rows have none, the words of an error)."""
    body = answer.json_body
    for row in rows if answer.status == 200 else ():
        if (listed := row.model_ids(body)) is not None:
            kept = listed[:_MAX_MODELS]
            ids = tuple(id_ for id_ in kept if id_ is not None and len(id_) <= _MAX_ID)
            if ids or not kept:
                return "models", ids, len(kept) - len(ids), ""
    if isinstance(body, dict) and (error := body.get("error") or body.get("detail") or body.get("message")):
        words = error.get("message", "") if isinstance(error, dict) else error
        return "error", (), 0, str(words)[:_MAX_TEXT]
    return ("other" if body is None else "json"), (), 0, ""


def _unread(seen: Iterable[Observation]) -> list[str]:
    return [
        f"{one.unread} of {one.unread + len(one.models)} models that it lists cannot be read"
        for one in seen
        if one.unread
    ]


def _claims(record: SourceRecord, _models: Collection[str]) -> Iterable[Said]:
    """The first list of models that it answered with."""
    listed = next((seen.models for seen in observations_of(record) if seen.shape == "models"), None)
    if listed is not None:
        yield Said(record.subject, "models", [one for one in sorted(listed) if is_model_id(one)])


def _saved_url(request: SourceRequest) -> str | None:
    return candidates(request.base_url)[0] if request.base_url else None


PROVIDER = Source(name=NAME, fetch=fetch, needs_base_url=True, saved_url=_saved_url, claims=_claims)
