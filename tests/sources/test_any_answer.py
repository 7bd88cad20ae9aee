"""Whatever a source answers, there is a record or a gap, its claims can be stored, and nothing is raised."""

import json
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelscan.sources import SOURCES, Source
from modelscan.sources.source import SourceRequest
from modelscan.types import Identifier, SourceGap, SourceRecord
from tests.sources.asking import answered, ask_with

NAMES = st.sampled_from(
    [
        "acme", "huggingface", "id", "models", "data", "success", "Success", "Data", "items", "pagination", "totalPage",
        "providers", "pricing", "prices", "match", "or", "constraint", "start_date", "paths", "openapi", "info", "name",
        "inferenceProviderMapping", "safetensors", "total", "cost", "limit", "context", "provider", "status", "meta",
        "categories", "model_sets", "specs", "tags", "Tasks", "Name", "BackendSupport", "code", "reason", "message",
    ]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | NAMES
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
BASE = "http://box.example:9001/v1"


async def asked(source: Source, request: SourceRequest) -> SourceRecord | SourceGap | None:
    return await source.fetch(request)


def said(source: Source, status: int, body: bytes, identifier: str) -> list[Any]:
    """What the source's record of this answer claims; nothing where it is a gap."""

    def handle(_: httpx2.Request) -> httpx2.Response:
        return answered(status, body)

    found = ask_with(
        handle, lambda request: asked(source, request), identifier, base_url=BASE, operator_named=True, deep=True
    )
    if isinstance(found, SourceGap):
        assert found.reason
    return list(source.claims(found, frozenset({"acme", "id"}))) if isinstance(found, SourceRecord) else []


def check(source: Source, status: int, body: bytes, identifier: str) -> None:
    for one in said(source, status, body, identifier):
        assert one.subject.partition("/")[0] == Identifier.parse(identifier).provider
        json.dumps(one.value, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@settings(max_examples=30)
@given(body=JSON, status=st.sampled_from([200, 200, 200, 401, 404, 500]))
def test_any_json_is_a_record_or_a_gap(source: Source, body: Any, status: int) -> None:
    check(source, status, json.dumps(body).encode(), "acme/id/x")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@settings(max_examples=30)
@given(row=JSON, name=NAMES)
def test_any_json_where_a_source_looks_for_its_rows_is_a_record_or_a_gap(source: Source, row: Any, name: str) -> None:
    listed = {"data": [row], "items": [row], "model_sets": [row], "pagination": {"totalPage": 2}, "paths": {"/x": row}}
    theirs = {"acme": {"id": "acme", "name": "Acme", "models": {"x": row}}, "success": True, "id": "acme/id", name: row}
    check(source, 200, json.dumps({**listed, **theirs, "openapi": "3"}).encode(), "acme/acme/id")
    check(source, 200, json.dumps([{"id": "acme", "models": [row]}]).encode(), "acme")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_model_whose_name_is_no_name_is_nothing_that_facts_speak_of(source: Source) -> None:
    for name in ("\x1b]0;title\x07", " spaces ", "", "x" * 300, "two\nlines"):
        row: dict[str, Any] = {
            "id": name,
            "name": name,
            "prices": {"input_mtok": 1},
            "providers": [],
            "meta": {"n_ctx": 7},
        }
        row |= {"categories": ["llm"], "provider": "p", "status": "live", "limit": {"context": 7}}
        listed: dict[str, Any] = {
            "data": [row],
            "items": [row],
            "pagination": {"totalPage": 1},
            "acme": {"id": "acme", "name": "A"},
        }
        listed["acme"]["models"] = {name: row}
        for body in (listed, [{"id": "acme", "models": [row]}]):
            for one in said(source, 200, json.dumps(body).encode(), "acme"):
                assert one.subject == "acme"
                assert one.field != "models" or name not in one.value


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[" * 100_000, b'"\\ud800"', b"NaN", b'{"acme": 1e999}', b"9" * 10_000]
)
def test_what_is_no_json_is_a_record_or_a_gap(source: Source, body: bytes) -> None:
    check(source, 200, body, "acme/acme/id")
    check(source, 200, body, source.name.replace("gpustack-catalogue", "box"))
