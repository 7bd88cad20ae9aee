"""GPUStack: a running server of the operator's own, recognised by how it answers, and what it deploys and routes.

Facts: of the provider `software` and `models`; of a model `categories`, `weights` (the repository they come from),
`backend` and `context_tokens`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.sources.http import Answer, ask
from modelscan.sources.quantities import Tokens
from modelscan.sources.source import Said, Source, SourceRequest
from modelscan.types import ModelId, SourceGap, SourceRecord

__all__ = ["GPUSTACK", "chat_models_of", "claims", "weights_of"]

NAME = "gpustack"
_MAX_BYTES = 4 * 2**20
_PAGE, _MAX_PAGES, _MAX_MODELS = 100, 20, 5_000
_KEY_HEADERS = (("Authorization", "Bearer "), ("X-API-Key", ""))
T = TypeVar("T", bound=BaseModel)


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Refusal(_Theirs):
    """How it answers who has no key, or a wrong one."""

    code: int
    reason: str
    message: str


class Pagination(_Theirs):
    total_pages: int = Field(alias="totalPage", ge=0)


class Page(_Theirs):
    """A page of `/v2/…`."""

    items: tuple[Any, ...]
    pagination: Pagination


class Deployed(_Theirs):
    """A row of `/v2/models`."""

    name: ModelId
    categories: tuple[str, ...] = ()
    backend: str | None = None
    huggingface_repo_id: str | None = None
    model_scope_model_id: str | None = None


class Route(_Theirs):
    """A row of `/v2/model-routes`: a name that callers use."""

    name: ModelId
    categories: tuple[str, ...] = ()


class Meta(_Theirs):
    """What it found out of a model; `n_ctx` for llama.cpp, `max_model_len` for vLLM."""

    n_ctx: Tokens | None = None
    max_model_len: Tokens | None = None


class Served(_Theirs):
    """A row of `/v1/models?with_meta=true`."""

    id: ModelId
    meta: Meta | None = None


async def fetch(request: SourceRequest) -> SourceRecord | SourceGap | None:
    """What the server deploys, routes and serves; None where it is no GPUStack, or does not answer."""
    base = (request.base_url or "").rstrip("/").removesuffix("/chat/completions")
    root = base.removesuffix("/v1").removesuffix("/v1-openai")  # The second is where older ones serve OpenAI's API.
    first = await _ask(request, f"{root}/v2/models?page=1&perPage={_PAGE}", {})
    if first is None or not (_refuses(first) or _page(first)):
        return None
    key = request.key.get_secret_value() if request.key else ""
    header, headers = (None, {}) if _page(first) else await _key_header(request, root, key)
    payload: dict[str, JsonValue] = {"asks_for_key": _refuses(first), "key_header": header}
    bad = 0
    if header or not _refuses(first):
        for part, kind in (("models", Deployed), ("model-routes", Route)):
            rows, wrong = _rows(kind, await _pages(request, f"{root}/v2/{part}", headers), key)
            payload[part], bad = rows, bad + wrong
        came = await _ask(request, f"{root}/v1/models?with_meta=true", headers)
        listed = came.json_body.get("data") if came and isinstance(came.json_body, dict) else None
        payload["served"], wrong = _rows(Served, listed[:_MAX_MODELS] if isinstance(listed, list) else [], key)
        bad += wrong
    note = f"{bad} rows cannot be read" if bad else ""
    subject = request.identifier.provider
    return SourceRecord.of(
        source=NAME, subject=subject, url=f"{root}/v2/models", payload=payload, trusted=False, note=note
    )


async def _ask(request: SourceRequest, url: str, headers: Mapping[str, str]) -> Answer | None:
    """None where it cannot be asked: the provider's own record or gap says so already."""
    try:
        return await ask(request.http, "GET", url, limit=_MAX_BYTES, headers=dict(headers))
    except (SourceUnavailable, HostRefused):
        return None


def _refuses(answer: Answer) -> bool:
    if answer.status not in (401, 403):
        return False
    try:
        return Refusal.model_validate(answer.json_body).code == answer.status
    except ValidationError:
        return False


def _page(answer: Answer) -> Page | None:
    try:
        return Page.model_validate(answer.json_body) if answer.status == 200 else None
    except ValidationError:
        return None


async def _key_header(request: SourceRequest, root: str, key: str) -> tuple[str | None, dict[str, str]]:
    """(the header in which it takes the key, that header with the key); it knows both forms."""
    if not (key and key.isascii() and key.isprintable()):
        return None, {}
    for name, scheme in _KEY_HEADERS:
        answer = await _ask(request, f"{root}/v1/models", {name: f"{scheme}{key}"})
        if answer and answer.status == 200:
            return name, {name: f"{scheme}{key}"}
    return None, {}


async def _pages(request: SourceRequest, url: str, headers: Mapping[str, str]) -> list[Any]:
    """The rows of all pages; none where this key may not see them."""
    rows: list[Any] = []
    for number in range(1, _MAX_PAGES + 1):
        answer = await _ask(request, f"{url}?page={number}&perPage={_PAGE}", headers)
        page = _page(answer) if answer else None
        rows += page.items if page else ()
        if page is None or number >= page.pagination.total_pages:
            break
    return rows


def _rows(kind: type[T], theirs: Iterable[Any], key: str) -> tuple[list[JsonValue], int]:
    """(the rows that can be read, how many cannot); one that quotes the key is none."""
    good: list[JsonValue] = []
    bad = 0
    for row in theirs:
        try:
            read = kind.model_validate(row).model_dump(mode="json", exclude_none=True)
        except ValidationError:
            bad += 1
            continue
        if key and key in json.dumps(read, ensure_ascii=False):
            bad += 1
        else:
            good.append(read)
    return good, bad


_DEPLOYED, _ROUTES, _SERVED = TypeAdapter(list[Deployed]), TypeAdapter(list[Route]), TypeAdapter(list[Served])


def _read(record: SourceRecord) -> tuple[list[Deployed], list[Route], list[Served]]:
    payload = record.payload if isinstance(record.payload, dict) else {}
    try:
        return (
            _DEPLOYED.validate_python(payload.get("models", [])),
            _ROUTES.validate_python(payload.get("model-routes", [])),
            _SERVED.validate_python(payload.get("served", [])),
        )
    except ValidationError:
        return [], [], []


def chat_models_of(record: SourceRecord) -> dict[str, int | None]:
    """Of the models that it serves, those that it does not call something else than a language model: id -> context."""
    deployed, routes, served = _read(record)
    categories = _categories(deployed, routes)
    chatting = [one for one in served if "llm" in (categories.get(one.id) or ("llm",))]
    return {one.id: _context(one) for one in sorted(chatting, key=lambda one: one.id)}


def weights_of(record: SourceRecord) -> dict[str, str]:
    """Name of a deployment -> the repository that its weights come from."""
    deployed, _, _ = _read(record)
    named = {one.name: one.huggingface_repo_id or one.model_scope_model_id for one in deployed}
    return {name: weights for name, weights in named.items() if weights}


def _context(served: Served) -> int | None:
    meta = served.meta or Meta()
    return meta.max_model_len or meta.n_ctx


def _categories(deployed: Iterable[Deployed], routes: Iterable[Route]) -> dict[str, tuple[str, ...]]:
    """By name; a route's own word counts before that of a deployment of the same name."""
    return {one.name: one.categories for one in deployed} | {one.name: one.categories for one in routes}


def claims(record: SourceRecord, _models: Collection[str] = ()) -> Iterable[Said]:
    """What a record says of the server and its models."""
    deployed, routes, served = _read(record)
    yield Said(record.subject, "software", "GPUStack")
    if served:
        yield Said(record.subject, "models", [*sorted({one.id for one in served})])
    seen: dict[tuple[str, str], JsonValue] = {}
    for name, categories in _categories(deployed, routes).items():
        seen[name, "categories"] = list(categories)
    seen |= {(name, "weights"): weights for name, weights in weights_of(record).items()}
    seen |= {(one.name, "backend"): one.backend for one in deployed}
    seen |= {(one.id, "context_tokens"): _context(one) for one in served}
    yield from (Said(f"{record.subject}/{model}", field, value) for (model, field), value in seen.items() if value)


def _concerns(request: SourceRequest) -> bool:
    return request.operator_named


GPUSTACK = Source(name=NAME, fetch=fetch, concerns=_concerns, cached=False, claims=claims)
