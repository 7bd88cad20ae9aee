"""From a real server on the loopback to its specification: sources and rules together."""

import asyncio

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from modelscan.errors import NotEnoughEvidence
from modelscan.reference import create_reference, serve_in_thread
from modelscan.settings import DiscoverySettings
from modelscan.sources import SourceRequest
from modelscan.sources.gather import gather
from modelscan.sources.http import host_port, open_client
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import propose
from modelscan.types import Attempt, Auth, CaseResult, ClientSpec, Identifier, Level, ValidationReport
from modelscan.wire import WireProtocol
from modelscan.wire.custom_rest import KNOWN_MAPPINGS
from modelscan.wire.mappings import COHERE_V2, OLLAMA_CHAT
from tests.nowhere import NOWHERE

NO_LIST = DiscoverySettings.model_validate(NOWHERE)


def evidence_of(identifier: str, base_url: str, key: str | None = None) -> Evidence:
    """What the sources say of a server that the operator names."""

    async def run() -> Evidence:
        async with open_client(allowed_private=[host_port(base_url)], timeout=5) as http:
            request = SourceRequest(
                identifier=Identifier.parse(identifier),
                http=http,
                settings=NO_LIST,
                base_url=base_url,
                operator_named=True,
                key=SecretStr(key) if key else None,
            )
            scrapes = await gather(request)
        records = tuple(one.record for one in scrapes if one.record)
        gaps = tuple(one.gap for one in scrapes if one.gap)
        return Evidence(identifier=request.identifier, records=records, gaps=gaps)

    return asyncio.run(run())


def specified(identifier: str, base_url: str, key: str | None = None) -> ClientSpec:
    """The first proposal for a server that the operator names."""
    proposal = propose(evidence_of(identifier, base_url, key))
    assert proposal is not None
    return proposal.spec


def failed(number: int, spec: ClientSpec, status: int) -> Attempt:
    """An attempt with `spec` whose chat was answered with that status."""
    case = CaseResult(case="chats", level=Level.LIVE, outcome="failed", status=status)
    report = ValidationReport(level=Level.PROBE, results=(case,))
    return Attempt(number=number, proposal="x", spec_digest=spec.digest, report=report)


@pytest.mark.parametrize("path", ["", "/v1", "/v1/", "/v1/chat/completions"])
def test_an_open_server_is_found_with_or_without_its_path(path: str) -> None:
    with serve_in_thread(create_reference(models=("smol",))) as origin:
        spec = specified("local/smol", origin + path)
    assert (spec.base_url, spec.auth.kind, spec.test_model) == (f"{origin}/v1", "none", "smol")


@pytest.mark.parametrize(("header", "scheme"), [("Authorization", "Bearer"), ("x-api-key", ""), ("api-key", "")])
def test_a_server_that_wants_a_key_shows_which_header_carries_it(header: str, scheme: str) -> None:
    auth = Auth(header=header, scheme=scheme)
    with serve_in_thread(create_reference(models=("smol",), key="sk-1", auth=auth)) as origin:
        spec = specified("local/smol", f"{origin}/v1", "sk-1")
    assert (spec.auth.header, spec.auth.scheme) == (header, scheme)
    assert "sk-1" not in spec.model_dump_json()


def test_a_server_that_wants_a_key_is_specified_without_one_where_a_model_is_named() -> None:
    with serve_in_thread(create_reference(models=("smol",), key="sk-1")) as origin:
        spec = specified("local/smol", f"{origin}/v1")
    assert (spec.auth.header, spec.auth.env) == ("Authorization", ("LOCAL_API_KEY",))


@pytest.mark.parametrize("row", KNOWN_MAPPINGS, ids=lambda row: row.dialect)
@pytest.mark.parametrize("key", [None, "sk-1"])
def test_a_server_that_is_spoken_to_by_a_known_mapping_is_found(row: WireProtocol, key: str | None) -> None:
    with serve_in_thread(create_reference(models=("smol", "a/../b"), key=key, protocol=row)) as origin:
        spec = specified("local", origin + "/", key)
        in_path = "{model}" in spec.chat.path
        assert in_path or specified("local", origin + spec.chat.path, key).digest == spec.digest
    assert (spec.protocol, spec.rest, spec.base_url) == ("custom_rest", row.rest, origin)
    assert spec.endpoints == row.endpoints
    assert (spec.auth.kind, spec.auth.header) == (("header", row.auth.header) if key else ("none", "Authorization"))
    # A model that would lead out of its path is left out where it stands in one.
    assert [model.id for model in spec.models] == (["smol"] if in_path else ["a/../b", "smol"])


def test_of_a_server_of_two_protocols_the_place_of_a_chat_says_which_is_meant() -> None:
    both = Starlette(
        routes=[
            Mount("/v1", create_reference(models=("smol",), base_path="")),
            Mount("/", create_reference(models=("smol",), protocol="ollama_chat")),
        ]
    )
    with serve_in_thread(both) as origin:
        assert specified("local", origin).protocol == "openai_chat"
        assert specified("local", f"{origin}/api/chat").rest == OLLAMA_CHAT


def test_a_server_that_refuses_whatever_is_asked_is_no_sign_of_a_mapping() -> None:
    async def refuse(_: Request) -> JSONResponse:
        return JSONResponse({"error": {"message": "Who are you?"}}, 401)

    with serve_in_thread(Starlette(routes=[Route("/{path:path}", refuse, methods=["GET", "POST"])])) as origin:
        tried, attempts = [], list[Attempt]()
        evidence = evidence_of("local/smol", origin)
        while proposal := propose(evidence, attempts):
            tried.append(proposal.spec.protocol)
            attempts.append(failed(min(len(tried), 3), proposal.spec, 404))
        named = specified("local/smol", f"{origin}/v2/chat")
    assert set(tried) == {"openai_chat", "anthropic_messages"}
    assert named.rest == COHERE_V2


def test_a_server_that_is_not_there_is_told_so(free_port: int) -> None:
    with pytest.raises(NotEnoughEvidence, match="cannot be reached"):
        specified("local/smol", f"http://127.0.0.1:{free_port}/v1")


def test_a_running_gpustack_is_recognised_and_cited() -> None:
    key = "gpustack_0123456789_abcdef"

    async def models(request: Request) -> JSONResponse:
        if request.headers.get("authorization") != f"Bearer {key}":
            return JSONResponse({"code": 401, "reason": "Unauthorized", "message": "Invalid credentials"}, 401)
        rows = [{"name": "bge", "categories": ["embedding"]}, {"name": "smol", "categories": ["llm"]}]
        return JSONResponse({"items": rows, "pagination": {"page": 1, "perPage": 100, "total": 2, "totalPage": 1}})

    serving = Mount("/", create_reference(models=("bge", "smol"), key=key))
    stack = Starlette(routes=[Route("/v2/models", models), Route("/v2/model-routes", models), serving])
    with serve_in_thread(stack) as origin:
        told = evidence_of("gpu", f"{origin}/v1", key)
    proposal = propose(told)
    assert proposal is not None
    assert [model.id for model in proposal.spec.models] == ["smol"]
    cited = {record.id: record for record in told.records}[proposal.spec.evidence["models"]]
    assert (cited.source, cited.url) == ("gpustack", f"{origin}/v2/models")


@pytest.mark.parametrize("path", ["", "/v1", "/v1/messages", "/v1/chat/completions"])
def test_a_server_that_speaks_only_messages_is_found_as_such(path: str) -> None:
    with serve_in_thread(create_reference(models=("sonata",), protocol="anthropic_messages")) as origin:
        spec = specified("local", origin + path)
    assert (spec.protocol, spec.base_url, spec.auth.kind) == ("anthropic_messages", origin, "none")
    assert [endpoint.operation for endpoint in spec.endpoints] == ["chat", "models", "count_tokens"]


@pytest.mark.parametrize(("header", "scheme"), [("x-api-key", ""), ("Authorization", "Bearer")])
def test_such_a_server_that_wants_a_key_is_too(header: str, scheme: str) -> None:
    auth = Auth(header=header, scheme=scheme)
    app = create_reference(models=("sonata",), key="sk-1", auth=auth, protocol="anthropic_messages")
    with serve_in_thread(app) as origin:
        spec = specified("local", origin, "sk-1")
    assert (spec.protocol, spec.auth.header, spec.test_model) == ("anthropic_messages", header, "sonata")
