"""Services that are neither OpenAI's nor Anthropic's: a protocol made of a mapping, and the rows known by name."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from modelscan.types import CUSTOM_REST, Auth, Endpoint, Quirks, RestMapping
from modelscan.wire.mappings import COHERE_V2, GEMINI_GENERATE_CONTENT, OLLAMA_CHAT
from modelscan.wire.protocol import Vocabulary, WireProtocol
from modelscan.wire.rest_mapping import StreamUsage, model_ids, placed, request_body, usage_of

__all__ = ["KNOWN_MAPPINGS", "custom_rest"]

_IMPORTS = "collections.abc dataclasses httpx2 json os re typing urllib.parse"
_NAMES = (
    "Answer Any AsyncIterator Error Exception Iterator Literal Mapping Message ModelName Piece RecursionError SPEC "
    "Sequence StatusError TypedDict ValueError _FINISH_REASONS _LONGEST_LINE _Pieces _ROLES __all__ _answer _api_key "
    "_base_url _body _content _headers _ids _json _message _piece _put _reason _segment _text _tokens _turn _values "
    "_variable _whole any api_key base_url body bool bytes chunk completion_tokens content counts data dataclass dict "
    "error extra_body finish_reason float found given headers http_client httpx2 id_ ids inner int isinstance json "
    "key last len line lines list max_tokens message messages model name names next object one options os outer "
    "parameters path paths payload piece pieces prompt_tokens query quote raw re response role row rows self "
    "status_code step stop str streamed sum super system temperature text timeout top_p turn unquote url value words"
)
_ATTRIBUTES = (
    "AsyncClient Client Match Response __init__ _base _headers _http _options _own _read _rest _timeout aclose "
    "aiter_bytes append aread body close content ended environ extend feed get isdecimal isprintable iter_bytes join "
    "last loads message read reason_phrase removeprefix replace request rstrip search setdefault split startswith "
    "status_code stream strip sub"
)
_SYNTAX = "AsyncFor AsyncFunctionDef AsyncWith Await For Try With Yield"


def custom_rest(
    mapping: RestMapping, endpoints: Sequence[Endpoint], *, auth: Auth | None = None, base_suffixes: Sequence[str] = ()
) -> WireProtocol:
    """The protocol of a service that is spoken to as `mapping` says."""
    return WireProtocol(
        name=CUSTOM_REST,
        rest=mapping,
        title=f"custom REST ({mapping.name})",
        endpoints=tuple(endpoints),
        optional=frozenset({"models"}),
        auth=auth or Auth(),
        base_suffixes=tuple(base_suffixes),
        sdk="httpx2",
        vocabulary=Vocabulary(
            imports=frozenset(_IMPORTS.split()),
            names=frozenset(_NAMES.split()),
            attributes=frozenset(_ATTRIBUTES.split()),
            syntax=frozenset(_SYNTAX.split()),
        ),
        client_template="custom_rest_client.py.jinja",
        test_template="custom_rest_test.py.jinja",
        reference_path="",
        chat_body=partial(_chat_body, mapping),
        model_ids=partial(model_ids, mapping),
        usage_of=partial(usage_of, mapping),
        stream_reader=partial(StreamUsage, mapping),
        stream_error=partial(_stream_error, mapping),
        error_body=partial(_error_body, mapping),
    )


def _chat_body(mapping: RestMapping, model: str, _: Quirks) -> dict[str, Any]:
    """The smallest chat."""
    messages = [{"role": "user", "content": "hi"}]
    return request_body(mapping, model=model, messages=messages, options={"max_tokens": 1})


def _error_body(mapping: RestMapping, _status: int, message: str, **_more: Any) -> dict[str, Any]:
    """An error with its message where the mapping says; more of its form is not known."""
    body: dict[str, Any] = placed({}, mapping.error[0], message)
    return body


def _stream_error(mapping: RestMapping, body: dict[str, Any]) -> bytes:
    """An error within a stream that has begun."""
    data = json.dumps(body).encode()
    return b"data: " + data + b"\n\n" if mapping.stream.framing == "sse" else data + b"\n"


def _chat(path: str) -> Endpoint:
    return Endpoint(operation="chat", method="POST", path=path)


def _models(path: str) -> Endpoint:
    return Endpoint(operation="models", method="GET", path=path)


KNOWN_MAPPINGS: tuple[WireProtocol, ...] = (
    custom_rest(
        COHERE_V2,
        (_chat("/v2/chat"), _models("/v1/models")),
        base_suffixes=("/v2/chat", "/v1/models", "/v2", "/v1"),
    ),
    custom_rest(
        GEMINI_GENERATE_CONTENT,
        (
            _chat("/v1beta/models/{model}:generateContent"),
            Endpoint(operation="stream", method="POST", path="/v1beta/models/{model}:streamGenerateContent"),
            _models("/v1beta/models"),
        ),
        auth=Auth(header="x-goog-api-key", scheme=""),
        base_suffixes=("/v1beta/models", "/v1beta"),
    ),
    custom_rest(
        OLLAMA_CHAT,
        (_chat("/api/chat"), _models("/api/tags")),
        base_suffixes=("/api/chat", "/api/tags", "/api", "/v1"),
    ),
)
"""A list may name these, and a server of the operator's own is asked in their ways too."""
