"""The levels that a real candidate climbs, in the sandbox and against the reference provider dressed as its host."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from modelscan.codegen.render import render_client, render_test
from modelscan.reference import create_reference, serve_in_thread
from modelscan.types import Auth, ClientSpec, Level, Model, ValidationReport
from modelscan.validation.runner import validate
from modelscan.validation.sandbox import Sandbox
from modelscan.wire import WireProtocol, protocol_named
from modelscan.wire.cases import derive
from modelscan.wire.custom_rest import KNOWN_MAPPINGS
from tests.validation.specs import a_spec

KEY = SecretStr("sk-a-key-of-the-reference-0123")
KEYLESS = Auth(kind="none")
ODD = 'o\'brien "quoted" {braces} 模型'

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


def proved(sandbox: Sandbox, spec: ClientSpec, **changes: Any) -> ValidationReport:
    """Validate the client generated from `spec`, with `changes` to the arguments."""

    async def run() -> ValidationReport:
        async with httpx2.AsyncClient(timeout=5) as http:
            given: dict[str, Any] = {"client_source": render_client(spec, []), "test_source": render_test(spec)}
            given |= {"sandbox": sandbox, "key": None, "http": http, "reach": True, "allowed_private": ["127.0.0.1"]}
            return await validate(spec, **given | changes)

    return asyncio.run(run())


def reference(auth: Auth | None = None, key: SecretStr | None = KEY) -> Starlette:
    plain = key.get_secret_value() if key else None
    return create_reference(models=("anvil", "rocket/skates:v2"), key=plain, auth=auth or Auth(), base_path="/v1")


def with_fault(app: App, fault: bytes) -> App:
    """`app` whose chats misbehave, for requests that carry a key."""

    async def faulty(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and any(name == b"authorization" for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], (b"x-reference-fault", fault)]}
        await app(scope, receive, send)

    return faulty


async def web_page(scope: Scope, receive: Any, send: Any) -> None:
    """A web server that is no LLM API."""
    if scope["type"] != "http":
        return
    start = {"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/html")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"<h1>Not found</h1>"})


def outcomes(report: ValidationReport, level: Level) -> dict[str, str]:
    return {result.case: result.outcome for result in report.results if result.level is level}


def all_passed(spec: ClientSpec) -> dict[str, str]:
    return {case.id: "passed" for case in derive(spec)}


def test_where_the_host_is_not_to_be_asked_the_contract_is_proved_and_no_more(sandbox: Sandbox) -> None:
    spec = a_spec()
    report = proved(sandbox, spec, reach=False)
    assert (report.level, report.green) == (Level.CONTRACT, True)
    assert report.why_not_higher == "The real host was not to be asked."
    assert set(outcomes(report, Level.STATIC).values()) == {"passed"}
    assert outcomes(report, Level.CONTRACT) == all_passed(spec)


@pytest.mark.parametrize(
    "changes",
    [
        {"auth": KEYLESS},
        {"auth": Auth(header="x-api-key", scheme="", env=("ACME_API_KEY",))},
        {"base_url": "https://api.acme.example"},
        {"base_url": "https://api.acme.example/a/${ACME_ACCOUNT}/v1/"},
        {"provider": "302ai", "name": 'A "quoted" {{ name }}\n\\'},
        {"models": (Model(id=ODD),), "test_model": ODD},
        {"models": (Model(id="a/b"), Model(id="a:b")), "test_model": "a:b"},
    ],
)
def test_specifications_of_every_shape_keep_their_contract(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    report = proved(sandbox, a_spec(**changes), reach=False)
    assert report.level is Level.CONTRACT, report.failed


def test_a_key_that_is_accepted_proves_the_client_live(sandbox: Sandbox) -> None:
    with serve_in_thread(reference()) as origin:
        spec = a_spec(base_url=f"{origin}/v1")
        report = proved(sandbox, spec, key=KEY)
    assert (report.level, report.why_not_higher) == (Level.LIVE, "")
    assert outcomes(report, Level.LIVE) == all_passed(spec)
    assert set(outcomes(report, Level.PROBE).values()) == {"passed"}


@pytest.mark.parametrize("row", KNOWN_MAPPINGS, ids=lambda row: row.dialect)
@pytest.mark.parametrize("kind", ["header", "none"])
def test_custom_rest_is_probed_without_a_key_and_without_cost_and_proved_live(
    sandbox: Sandbox, row: WireProtocol, kind: str
) -> None:
    auth = row.auth.model_copy(update={"env": ("ACME_API_KEY",)}) if kind == "header" else KEYLESS
    key = KEY.get_secret_value() if kind == "header" else None
    dressed = {"protocol": row.name, "rest": row.rest, "endpoints": row.endpoints, "auth": auth}
    app = create_reference(models=("anvil", "rocket/skates:v2"), key=key, auth=auth, base_path="/deep", protocol=row)
    counted, asked = counting(app)
    with serve_in_thread(counted) as origin:
        spec = a_spec(base_url=f"{origin}/deep", test_model="rocket/skates:v2", **dressed)
        probed = proved(sandbox, spec.model_copy(update={"auth": auth}), key=None) if key else None
        assert probed is None or (probed.level, probed.why_not_higher) == (
            Level.PROBE,
            "No key was given: modelscan keys add acme.",
        )
        assert 200 not in asked
        report = proved(sandbox, spec, key=KEY if key else None)
    assert (report.level, report.why_not_higher) == (Level.LIVE, "")
    assert outcomes(report, Level.CONTRACT) == outcomes(report, Level.LIVE) == all_passed(spec)


def counting(app: App) -> tuple[App, list[int]]:
    """`app`, and the statuses it has answered so far."""
    statuses: list[int] = []

    async def counted(scope: Scope, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        await app(scope, receive, note)

    return counted, statuses


def test_a_host_that_needs_no_key_is_proved_live_without_one(sandbox: Sandbox) -> None:
    with serve_in_thread(reference(key=None)) as origin:
        report = proved(sandbox, a_spec(base_url=f"{origin}/v1", auth=KEYLESS))
    assert report.level is Level.LIVE, report.failed


def test_without_a_key_the_host_is_only_probed(sandbox: Sandbox) -> None:
    with serve_in_thread(reference()) as origin:
        report = proved(sandbox, a_spec(base_url=f"{origin}/v1"))
    assert (report.level, report.green) == (Level.PROBE, True)
    assert report.why_not_higher == "No key was given: modelscan keys add acme."
    assert set(outcomes(report, Level.LIVE).values()) == {"skipped"}


def test_a_refused_key_is_told_as_such_with_its_status_and_not_shown(sandbox: Sandbox) -> None:
    with serve_in_thread(reference()) as origin:
        report = proved(sandbox, a_spec(base_url=f"{origin}/v1"), key=SecretStr("sk-some-other-key"))
    assert report.level is Level.PROBE
    assert report.why_not_higher.startswith("The key was refused as Authorization (401)")
    assert {result.status for result in report.failed} == {401}
    assert "sk-some-other-key" not in report.model_dump_json()


def test_a_host_that_needs_a_key_refutes_a_specification_without_one(sandbox: Sandbox) -> None:
    with serve_in_thread(reference()) as origin:
        report = proved(sandbox, a_spec(base_url=f"{origin}/v1", auth=KEYLESS))
    assert report.level is Level.CONTRACT
    assert [result.case for result in report.failed] == ["chat_without_key"]


def test_an_exhausted_quota_is_no_failure_of_the_client(sandbox: Sandbox) -> None:
    with serve_in_thread(with_fault(reference(), b"429")) as origin:
        report = proved(sandbox, a_spec(base_url=f"{origin}/v1"), key=KEY)
    assert (report.level, report.green) == (Level.PROBE, True)
    assert report.why_not_higher.startswith("The provider answered 429")


@pytest.mark.parametrize("fault", [b"500", b"malformed", b"cut"])
def test_a_host_that_misbehaves_with_a_key_is_red(sandbox: Sandbox, fault: bytes) -> None:
    with serve_in_thread(with_fault(reference(), fault)) as origin:
        report = proved(sandbox, a_spec(base_url=f"{origin}/v1"), key=KEY)
    assert (report.level, report.green) == (Level.PROBE, False)
    assert "live cases failed" in report.why_not_higher


def test_a_connection_that_is_lost_once_at_the_real_host_is_no_failure_of_the_client(sandbox: Sandbox) -> None:
    lost: list[str] = []
    app, keyed = reference(), (b"authorization", f"Bearer {KEY.get_secret_value()}".encode())

    async def losing(scope: Scope, receive: Any, send: Any) -> None:
        if not lost and scope.get("method") == "POST" and keyed in scope["headers"]:
            lost.append(scope["path"])
            scope = {**scope, "headers": [*scope["headers"], (b"x-reference-fault", b"cut")]}
        await app(scope, receive, send)

    with serve_in_thread(losing) as origin:
        report = proved(sandbox, a_spec(base_url=f"{origin}/v1"), key=KEY)
    assert lost == ["/v1/chat/completions"]
    assert (report.level, outcomes(report, Level.LIVE)) == (Level.LIVE, all_passed(a_spec()))


def test_a_host_that_cannot_be_reached_leaves_the_contract(sandbox: Sandbox) -> None:
    with serve_in_thread(web_page) as origin:
        closed = origin
    report = proved(sandbox, a_spec(base_url=f"{closed}/v1"), key=KEY)
    assert (report.level, report.green) == (Level.CONTRACT, True)
    assert report.why_not_higher.startswith("The host could not be reached")
    keyless = proved(sandbox, a_spec(base_url=f"{closed}/v1"))
    assert keyless.why_not_higher.endswith("A key is missing too: modelscan keys add acme")


def test_a_server_that_is_no_llm_api_is_red_and_never_sees_the_key(sandbox: Sandbox) -> None:
    with serve_in_thread(web_page) as origin:
        report = proved(sandbox, a_spec(base_url=f"{origin}/v1"), key=KEY)
    assert (report.level, report.green) == (Level.CONTRACT, False)
    assert [result.case for result in report.failed] == ["models_without_key", "chat_without_key"]
    assert outcomes(report, Level.LIVE) == {}


def test_a_base_url_takes_its_variables_from_the_environment(sandbox: Sandbox) -> None:
    with serve_in_thread(reference(key=None)) as origin:
        spec = a_spec(base_url=f"{origin}/${{ACME_PROJECT}}", auth=KEYLESS)
        assert proved(sandbox, spec, environ={"ACME_PROJECT": "v1"}).level is Level.LIVE
        unset = proved(sandbox, spec, environ={})
    assert unset.level is Level.CONTRACT
    assert unset.why_not_higher == "The base URL needs ACME_PROJECT, not set in the environment."


def test_a_client_that_the_gate_refuses_is_never_run(sandbox: Sandbox) -> None:
    spec = a_spec()
    source = render_client(spec, []) + "\nimport os\nos.system('true')\n"
    report = proved(sandbox, spec, client_source=source)
    assert report.level is Level.NONE
    assert outcomes(report, Level.STATIC)["gate"] == "failed"
    assert outcomes(report, Level.CONTRACT) == {}


def test_a_client_of_another_specification_is_refused(sandbox: Sandbox) -> None:
    report = proved(sandbox, a_spec(), client_source=render_client(a_spec(name="Other"), []))
    assert report.level is Level.NONE
    assert [result.case for result in report.failed] == ["gate"]


def test_a_test_without_its_cases_proves_nothing(sandbox: Sandbox) -> None:
    report = proved(sandbox, a_spec(), test_source="def test_chats(): assert False, 'no answer'")
    assert report.level is Level.STATIC
    details = {result.case: result.detail for result in report.failed}
    assert details["chats"].startswith("no answer")
    assert details["lists_models"] == "the generated test has no such case"


def test_a_test_that_hangs_fails_every_case_it_did_not_report(sandbox: Sandbox) -> None:
    report = proved(sandbox, a_spec(), test_source="while True: pass", contract_seconds=1)
    assert {result.detail for result in report.failed} == {"timed out after 1 s"}
    assert "timed out after 1 s" in report.why_not_higher


def test_a_case_that_the_generated_test_skips_by_itself_keeps_from_no_level(sandbox: Sandbox) -> None:
    with serve_in_thread(reference()) as origin:
        spec = a_spec(base_url=f"{origin}/v1")
        skipping = "\n\ndef test_unknown_model_is_an_error(): pytest.skip('this server answers every name')\n"
        report = proved(sandbox, spec, key=KEY, test_source=render_test(spec) + skipping)
    assert (report.level, report.why_not_higher) == (Level.LIVE, "")
    assert outcomes(report, Level.LIVE)["unknown_model_is_an_error"] == "skipped"


@pytest.mark.parametrize("protocol", ["openai_chat", "anthropic_messages"])
def test_what_a_model_is_said_to_do_is_proved_but_for_what_would_be_billed(sandbox: Sandbox, protocol: str) -> None:
    able = Model(id="anvil", capabilities=("structured_output", "tool_call", "vision"))
    row = protocol_named(protocol)
    models = (able, Model(id="anvil-embed", capabilities=("embeddings",)))
    spec = a_spec(protocol=protocol, models=models, auth=KEYLESS, endpoints=row.endpoints, headers=row.headers)
    app = create_reference(models=("anvil", "anvil-embed"), protocol=protocol, base_path="/x")
    with serve_in_thread(app) as origin:
        report = proved(sandbox, spec.model_copy(update={"base_url": f"{origin}/x"}))
    claimed = {"calls_tools", "streams_tool_calls", "takes_tool_results", "answers_in_schema", "reads_images"}
    assert claimed | ({"embeds"} if protocol == "openai_chat" else set()) <= all_passed(spec).keys()
    assert outcomes(report, Level.CONTRACT) == all_passed(spec)
    assert (report.level, outcomes(report, Level.LIVE)) == (Level.LIVE, all_passed(spec) | {"reads_images": "skipped"})
    assert "would be billed" in next(result.detail for result in report.results if result.outcome == "skipped")


def test_a_model_that_calls_no_tool_fails_just_the_cases_that_claim_it(sandbox: Sandbox) -> None:
    async def toolless(scope: Scope, receive: Any, send: Any) -> None:
        """A server that does not know tools: it passes over what it does not know."""

        async def without_tools() -> Any:
            message = await receive()
            body = message.get("body", b"").replace(b'"tools"', b'"stools"')
            return {**message, "body": body}

        if scope["type"] == "http":
            kept = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
            await reference(KEYLESS, None)({**scope, "headers": kept}, without_tools, send)

    spec = a_spec(models=(Model(id="anvil", capabilities=("tool_call",)),), auth=KEYLESS)
    with serve_in_thread(toolless) as origin:
        report = proved(sandbox, spec.model_copy(update={"base_url": f"{origin}/v1"}))
    assert [result.case for result in report.failed] == ["calls_tools", "streams_tool_calls"]
    assert "no tool was called; it said: 'What is the weather in Paris?" in report.failed[0].detail


def test_a_client_of_messages_climbs_to_live_too(sandbox: Sandbox) -> None:
    messages = protocol_named("anthropic_messages")
    dressed = {"protocol": messages.name, "auth": messages.auth, "endpoints": messages.endpoints}
    app = create_reference(models=("anvil",), key=KEY.get_secret_value(), protocol=messages.name)
    with serve_in_thread(app) as origin:
        spec = a_spec(base_url=origin, headers=messages.headers, **dressed)
        report = proved(sandbox, spec, key=KEY)
    assert (report.level, report.why_not_higher) == (Level.LIVE, ""), report.failed
    assert outcomes(report, Level.CONTRACT) == all_passed(spec)
    assert "counts_tokens" in outcomes(report, Level.LIVE)
