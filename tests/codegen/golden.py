"""The specifications whose clients are kept in tests/golden, and the examples in generated.

`python -m tests.codegen.golden` writes both anew, after a change of the templates.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from modelscan.codegen.render import module_name, render_client, render_test
from modelscan.codegen.spec_literal import read_literal, read_spec
from modelscan.types import (
    Auth,
    ClientSpec,
    Endpoint,
    Model,
    Price,
    RestAnswer,
    RestMapping,
    RestModels,
    RestRequest,
    RestStream,
    SourceRecord,
)
from modelscan.wire import protocol_named
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES

__all__ = ["EXAMPLES", "FOLDER", "RECORDS", "SPECS", "rendered", "rendered_example"]

FOLDER = Path(__file__).resolve().parents[1] / "golden"
EXAMPLES = tuple(FOLDER.parents[1] / "generated" / f"{name}.py" for name in ("cohere", "deepseek", "groq"))
_RECORD = "0123456789abcdef"
RECORDS = (
    SourceRecord(
        id=_RECORD,
        source="models.dev",
        subject="acme",
        url="https://models.dev/api.json",
        fetched_at=datetime(2026, 5, 21, 12, 0, tzinfo=UTC),
        sha256="ab" * 32,
        trusted=True,
        stale=True,
        payload={"left": "out"},
    ),
)
_ENDPOINTS = (
    Endpoint(operation="chat", method="POST", path="/chat/completions"),
    Endpoint(operation="models", method="GET", path="/models"),
)
_HOSTILE = ('a"b', "a'b", "{{ 7 * 7 }}", "x\\", "ünï/✓", '"""')


def _spec(provider: str, name: str, auth: Auth, models: tuple[Model, ...], base_url: str, **more: Any) -> ClientSpec:
    fields = {
        "provider": provider,
        "name": name,
        "protocol": "openai_chat",
        "base_url": base_url,
        "auth": auth,
        "endpoints": _ENDPOINTS,
        "models": models,
        "test_model": models[0].id,
        "evidence": dict.fromkeys(ClientSpec.CITED_FIELDS, _RECORD),
    }
    return ClientSpec.model_validate(fields | more)


def _mapped(
    provider: str, dialect: str, auth: Auth, models: tuple[Model, ...], base_url: str, **more: Any
) -> ClientSpec:
    """The client of a service that is spoken to as a known mapping says."""
    row = protocol_named(dialect)
    mapped = {"protocol": row.name, "rest": row.rest, "endpoints": row.endpoints}
    return _spec(provider, provider.title(), auth, models, base_url, **mapped | more)


DUNES = RestMapping(
    name="dunes_say",
    request=RestRequest(
        model="to.model",
        messages="talk",
        roles={"system": "frame", "user": "guest", "assistant": "host"},
        role="from",
        content="body.parts",
        content_form="parts",
        stream="flow",
    ),
    answer=RestAnswer(
        text="out.1.said.*.text", finish=("out.1.why", "why"), prompt_tokens=("n.0",), completion_tokens=("n.1", "n.2")
    ),
    stream=RestStream(
        framing="sse",
        piece=RestAnswer(text="bit", finish=("why",), prompt_tokens=("n.0",), completion_tokens=("n.1",)),
        end="done_mark",
    ),
    finish_reasons={"dried": "stop", "cut/short": "length"},
    error=("faults.0.words", "fault"),
    models=RestModels(rows="all", id="id"),
)
"""A mapping that nobody speaks: what the known ones leave out."""

SPECS = (
    _spec(
        "acme",
        "Acme",
        Auth(env=("ACME_API_KEY", "ACME_TOKEN")),
        (
            Model(
                id="anvil",
                family="anvil",
                context_tokens=8192,
                capabilities=("structured_output", "tool_call", "vision"),
                price=Price(input_mtok=Decimal("0.5"), output_mtok=Decimal("1.5")),
            ),
            Model(id="anvil-embed", capabilities=("embeddings",)),
            Model(id="rocket/skates:v2"),
        ),
        "https://api.acme.example/v1",
        endpoints=(*_ENDPOINTS, Endpoint(operation="embeddings", method="POST", path="/embeddings")),
    ),
    _spec(
        "302ai",
        'Three "0" \'2\' """AI\nimport os; os.system("x") \\ {{ 7 * 7 }} \u202e ✓',
        Auth(kind="none"),
        tuple(Model(id=model) for model in sorted(_HOSTILE)),
        "http://127.0.0.1:9001/v1",
    ),
    _spec(
        "together-ai",
        "Together AI",
        Auth(header="X-Api-Key", scheme="", env=("TOGETHER_KEY",)),
        (Model(id="only"),),
        "https://${TOGETHER_REGION}.together.example/v1",
    ),
    _spec(
        "claudia",
        "Claudia",
        Auth(header="x-api-key", scheme="", env=("CLAUDIA_API_KEY",)),
        (Model(id="sonata", capabilities=("structured_output", "tool_call", "vision")),),
        "https://${CLAUDIA_REGION}.claudia.example/anthropic",
        protocol="anthropic_messages",
        endpoints=ANTHROPIC_MESSAGES.endpoints,
        headers=ANTHROPIC_MESSAGES.headers,
        query={"beta": "true"},
    ),
    _spec(
        "clerk",
        'A """clerk\\ {{ 7 * 7 }} \u202e',
        Auth(header="Authorization", env=("CLERK_KEY", "CLERK_TOKEN")),
        (Model(id='note"s'),),
        "http://127.0.0.1:9001",
        protocol="anthropic_messages",
        endpoints=ANTHROPIC_MESSAGES.endpoints[:1],
    ),
    _mapped(
        "coral",
        "cohere_v2",
        Auth(env=("CORAL_KEY",)),
        (Model(id="reef"),),
        "https://api.coral.example",
        query={"v": "2"},
    ),
    _mapped(
        "gemma",
        "gemini_generate_content",
        Auth(header="x-goog-api-key", scheme="", env=("GEMMA_API_KEY", "GEMMA_KEY")),
        (Model(id="a/b:c"), Model(id='pro"')),
        "https://${GEMMA_REGION}.gemma.example",
        headers={"x-client": "modelscan"},
    ),
    _mapped("llama-box", "ollama_chat", Auth(kind="none"), (Model(id="smol:135m"),), "http://127.0.0.1:11434"),
    _spec(
        "dunes",
        'A """dune\\ {{ 7 * 7 }} \u202e',
        Auth(scheme="Token", env=("DUNES_KEY",)),
        (Model(id='sand"s'),),
        "http://127.0.0.1:9002/deep",
        protocol="custom_rest",
        rest=DUNES,
        endpoints=(Endpoint(operation="chat", method="POST", path="/say"),),
    ),
)


def rendered(spec: ClientSpec) -> dict[str, str]:
    """File name -> source, of a client and its test."""
    name = module_name(spec.provider)
    return {f"{name}.py": render_client(spec, RECORDS), f"test_{name}.py": render_test(spec)}


def rendered_example(path: Path) -> dict[str, str]:
    """What an example's own SPEC gives."""
    spec, literal = read_spec(path.read_bytes()), read_literal(path.read_bytes())
    records = [SourceRecord(**record, payload=None) for record in literal["records"]]
    return {path.name: render_client(spec, records), f"test_{path.name}": render_test(spec)}


if __name__ == "__main__":
    for spec in SPECS:
        for name, source in rendered(spec).items():
            (FOLDER / name).write_text(source)
    for path in EXAMPLES:
        for name, source in rendered_example(path).items():
            path.with_name(name).write_text(source)
