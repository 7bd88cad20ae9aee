"""The gate lets through what the templates write, and nothing else."""

import pytest

from modelscan.codegen import gate
from modelscan.codegen.gate import check
from modelscan.codegen.render import render_client
from modelscan.errors import GenerationRefused
from modelscan.types import ClientSpec
from tests.codegen.golden import RECORDS, SPECS

SPEC = SPECS[0]
SOURCE = render_client(SPEC, RECORDS)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.provider)
def test_what_the_template_writes_passes(spec: ClientSpec) -> None:
    check(render_client(spec, RECORDS), spec)


@pytest.mark.parametrize(
    ("added", "named"),
    [
        ("import socket\n", "import of socket"),
        ("import os, socket\n", "import of socket"),
        ("from os import system\n", None),
        ("from subprocess import run\n", "import from subprocess"),
        ("from . import other\n", "import from None"),
        ("from .os import path\n", "import from os"),
        ("os.system\n", "Expr at module level"),
        ("if re:\n    os = re\n", "If at module level"),
        ("for name in []:\n    key = name\n", "For at module level"),
        ("value = os.system\n", "the attribute system"),
        ("value = os.environ.__class__\n", "the attribute __class__"),
        ("value = eval\n", "the name eval"),
        ("value = __builtins__\n", "the name __builtins__"),
        ("value = getattr(os, 'system')\n", "the name getattr"),
        ("value = lambda: 1\n", "Lambda"),
        ("async def name(): ...\n", "AsyncFunctionDef at module level"),
        ("class Client:\n    async def name(self): ...\n", "AsyncFunctionDef"),
        ("def name():\n    while os: ...\n", "While"),
        ("def name():\n    with os: ...\n", "With"),
        ("def name():\n    yield os\n", "Yield"),
        ("def name():\n    try:\n        os\n    finally:\n        os\n", "Try"),
        ("def name():\n    global os\n", "Global"),
        ("def name():\n    return (key := os)\n", "NamedExpr"),
        ("@os.system\ndef name(): ...\n", "the attribute system"),
        ("value: 'os' = open\n", "the name open"),
        ("value = f'{exec}'\n", "the name exec"),
    ],
)
def test_what_is_added_is_refused_with_its_line_and_name(added: str, named: str | None) -> None:
    if named is None:
        check(SOURCE + added, SPEC)  # A name it may import, but not use:
        added, named = added + "value = system\n", "the name system"
    with pytest.raises(GenerationRefused, match=named) as refused:
        check(SOURCE + added, SPEC)
    assert refused.value.fields["line"] > SOURCE.count("\n")


def test_the_specification_must_be_the_one_that_was_proposed() -> None:
    with pytest.raises(GenerationRefused, match="another specification"):
        check(SOURCE, SPECS[1])


def test_a_file_without_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_MAX_BYTES", 1000)
    with pytest.raises(GenerationRefused, match="more than 1000 bytes"):
        check(SOURCE, SPEC)
