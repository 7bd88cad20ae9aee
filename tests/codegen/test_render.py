"""Rendering: golden files byte for byte, type-checked and executed, and no text that breaks out of its literal."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.codegen import render
from modelscan.codegen.gate import check
from modelscan.codegen.publish import publish_files
from modelscan.codegen.render import module_name, render_client, render_test
from modelscan.codegen.spec_literal import BESIDE_SPEC, read_spec
from modelscan.errors import GenerationRefused, InvalidIdentifier
from modelscan.types import Auth, ClientSpec, Identifier, Model
from tests.codegen.golden import EXAMPLES, FOLDER, RECORDS, SPECS, rendered, rendered_example


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.provider)
def test_what_is_rendered_is_what_was_kept(spec: ClientSpec) -> None:
    for name, source in rendered(spec).items():
        assert (FOLDER / name).read_text() == source, f"{name}: python -m tests.codegen.golden, and look at the change"


def test_nothing_else_is_kept() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == {name for spec in SPECS for name in rendered(spec)}


def test_kept_and_committed_files_pass_strict_types() -> None:
    """With the project's own settings, whose cache `scripts/check` has filled: strict, and nothing is let off."""
    examples = [beside for path in EXAMPLES for beside in (path, path.with_name(f"test_{path.name}"))]
    files = sorted(map(str, [*FOLDER.glob("*.py"), *examples]))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *files],
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_committed_example_is_what_its_specification_gives(path: Path) -> None:
    for name, source in rendered_example(path).items():
        assert path.with_name(name).read_text() == source
    check(path.read_text(), read_spec(path.read_bytes()))


@pytest.mark.parametrize(
    ("provider", "module"),
    [
        ("deepseek", "deepseek"),
        ("302ai", "provider_302ai"),
        ("together-ai", "together_ai"),
        ("match", "provider_match"),
    ],
)
def test_a_module_is_called_after_its_provider(provider: str, module: str) -> None:
    assert module_name(provider) == module
    assert module.isidentifier()


def executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "generated.py", "exec"), names)
    return names


def spec_with(**changes: Any) -> ClientSpec:
    return ClientSpec(**{**dict(SPECS[0]), **changes})


@given(
    name=st.text(max_size=80), models=st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=4, unique=True)
)
def test_a_text_of_any_shape_gives_a_safe_file_or_a_refusal(name: str, models: list[str]) -> None:
    try:
        spec = spec_with(name=name, models=tuple(Model(id=model) for model in models), test_model=models[0])
    except ValueError:
        assert any(not model.isprintable() or model != model.strip() for model in models)
        return
    record = RECORDS[0].model_copy(update={"url": f"https://x.example/{name}", "source": name})
    source = render_client(spec, [record])
    check(source, spec)
    assert source.isascii()
    names = executed(source)
    assert set(names) - {"__builtins__", "__name__", "__doc__", "__annotations__"} == {
        *("os", "re", "openai", "Any", "Literal", "SPEC", "ModelName", "Client", "AsyncClient", "__all__"),
        *("_base_url", "_variable", "_api_key", "_PRIVATE"),
    }
    told = {key: value for key, value in names["SPEC"].items() if key not in BESIDE_SPEC}
    assert ClientSpec.model_validate(told) == spec == read_spec(source)
    ast.parse(render_test(spec))


@given(typed=st.text(max_size=100))
def test_an_identifier_of_any_shape_gives_a_module_or_a_refusal(typed: str) -> None:
    try:
        provider = Identifier.parse(typed).provider
    except InvalidIdentifier:
        return
    assert module_name(provider).isidentifier()
    assert re.fullmatch(r"[a-z0-9_]+", module_name(provider))


@pytest.mark.parametrize("typed", ["302ai", "Together AI", "x-ai"])
def test_usual_ids_are_taken(typed: str, tmp_path: Path) -> None:
    spec = spec_with(provider=Identifier.parse(typed).provider)
    files = publish_files(tmp_path, spec, render_client(spec, RECORDS), render_test(spec))
    assert read_spec((tmp_path / files.path).read_bytes()) == spec


@pytest.mark.parametrize(
    "variable",
    ["ANTHROPIC_API_KEY", "MODELSCAN_MASTER_KEY", "GITHUB_TOKEN", "HOME", "", "KEY_NAME", "AWS_ACCESS_KEY_ID"],
)
def test_no_list_can_have_a_key_put_into_a_url(variable: str) -> None:
    with pytest.raises(ValueError, match="may be a secret"):
        spec_with(base_url=f"https://evil.example/${{{variable}}}/v1")


def test_an_address_may_be_filled_in_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = executed((FOLDER / "together_ai.py").read_text())
    with pytest.raises(openai.OpenAIError, match="TOGETHER_REGION"):
        names["Client"]("k")
    monkeypatch.setenv("TOGETHER_REGION", "eu")
    with names["Client"]("k") as client:
        assert str(client.base_url) == "https://eu.together.example/v1/"


@pytest.mark.parametrize(
    ("file", "sent"),
    [
        ("acme.py", {"authorization": "Bearer k"}),
        ("together_ai.py", {"x-api-key": "k"}),
        ("provider_302ai.py", {}),
    ],
)
def test_the_key_goes_where_the_specification_says(
    file: str, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    names = executed((FOLDER / file).read_text())
    with names["Client"]("k", base_url="http://127.0.0.1:9") as client:
        request = client._build_request(openai._models.FinalRequestOptions(method="get", url="/models"))
    held = {name: value for name, value in request.headers.items() if name in ("authorization", "x-api-key")}
    assert held == sent
    assert "openai-organization" not in request.headers


def test_the_key_is_taken_from_the_first_variable_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    client_class = executed((FOLDER / "acme.py").read_text())["Client"]
    with pytest.raises(openai.OpenAIError, match="ACME_API_KEY or ACME_TOKEN"):
        client_class()
    monkeypatch.setenv("ACME_TOKEN", "second")
    with client_class() as client:
        assert client.api_key == "second"


def test_a_header_with_a_scheme_of_its_own() -> None:
    source = render_client(spec_with(auth=Auth(header="X-Auth", scheme="Token", env=("A_KEY",))), RECORDS)
    check(source, read_spec(source))
    with executed(source)["Client"]("k") as client:
        assert client._auth_headers({}) == {"X-Auth": "Token k"}


def anthropic_version(client: anthropic.Anthropic) -> object:
    """What the specification says, else what the SDK sends by itself."""
    return client._custom_headers.get("anthropic-version", anthropic._constants.ANTHROPIC_API_VERSION)


@pytest.mark.parametrize(
    ("file", "sent"),
    [("claudia.py", {"x-api-key": "k"}), ("clerk.py", {"authorization": "Bearer k"})],
)
@pytest.mark.parametrize("copied", [False, True])
def test_nothing_of_the_callers_own_anthropic_account_is_sent(
    file: str, sent: dict[str, str], copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {
        "API_KEY": "sk-own",
        "AUTH_TOKEN": "own-token",
        "CUSTOM_HEADERS": "x-own: private\nauthorization: Bearer own",
    }
    for name, value in own.items():
        monkeypatch.setenv(f"ANTHROPIC_{name}", value)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://own.example")
    monkeypatch.setenv("CLAUDIA_REGION", "eu")
    with executed((FOLDER / file).read_text())["Client"]("k") as made:
        client = made.with_options(timeout=5) if copied else made
        request = client._build_request(anthropic._models.FinalRequestOptions(method="get", url="/v1/models"))
    held = {name: value for name, value in request.headers.items() if name in ("authorization", "x-api-key")}
    assert held == sent
    assert "own" not in str(request.headers) + str(request.url)
    assert request.headers["anthropic-version"] == anthropic_version(made)


def test_a_client_can_be_copied_with_other_options() -> None:
    with executed((FOLDER / "acme.py").read_text())["Client"]("k") as client:
        assert client.with_options(timeout=5).base_url == client.base_url


def test_an_anthropic_client_without_a_key_says_which_variable_to_set() -> None:
    client_class = executed((FOLDER / "clerk.py").read_text())["AsyncClient"]
    with pytest.raises(anthropic.AnthropicError, match="CLERK_KEY or CLERK_TOKEN"):
        client_class()


def test_an_anthropic_client_that_needs_no_key_sends_none() -> None:
    spec = ClientSpec.model_validate({**dict(SPECS[3]), "auth": Auth(kind="none"), "base_url": "http://127.0.0.1:9"})
    source = render_client(spec, RECORDS)
    check(source, spec)
    with executed(source)["Client"]() as client:
        assert client.auth_headers == {}


def test_static_headers_and_query_parameters_go_with_every_request() -> None:
    spec = spec_with(headers={"acme-version": "2"}, query={"api-version": "3"})
    source = render_client(spec, RECORDS)
    check(source, spec)
    with executed(source)["Client"]("k") as client:
        request = client._build_request(openai._models.FinalRequestOptions(method="get", url="/models"))
    assert request.headers["acme-version"] == "2"
    assert request.url.query == b"api-version=3"


def test_what_a_template_does_wrong_is_refused() -> None:
    with pytest.raises(GenerationRefused, match="not Python"):
        render._formatted("def (")
