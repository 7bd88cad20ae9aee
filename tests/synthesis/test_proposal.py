import json
from collections.abc import Iterator
from typing import Any

import pytest

from modelscan.synthesis.proposal import SpecProposal, read_proposal, schema
from modelscan.wire import WIRE_PROTOCOLS
from tests.synthesis.proposing import proposal, said

LONG = "x" * 501


def test_a_proposal_is_data_with_citations() -> None:
    read = read_proposal(proposal())
    assert isinstance(read, SpecProposal)
    assert (read.protocol.value, read.auth, read.notes) == ("openai_chat", None, "Its errors are OpenAI's.")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "import os"}, "code"),
        ({"path": "/etc/passwd"}, "path"),
        ({"protocol": said("smoke_signals", "a")}, "protocol.value"),
        ({"protocol": "openai_chat"}, "protocol"),
        ({"base_url": said("https://a", *"abcdefghi")}, "base_url.records"),
        ({"base_url": said("https://a")}, "base_url.records"),
        ({"base_url": said(LONG, "a")}, "base_url.value"),
        ({"base_url": said("https://a", "../../a")}, "base_url.records.0"),
        ({"auth": said({"kind": "query", "header": "", "scheme": "", "env": []}, "a")}, "auth.value.kind"),
        ({"quirks": said({"exec": "1"}, "a")}, "quirks.value.exec"),
        ({"models": said(["a\nb"], "a")}, "models.value.0"),
        ({"notes": LONG}, "notes"),
    ],
)
def test_what_is_no_proposal_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    refused = read_proposal(proposal(**changes))
    assert isinstance(refused, tuple)
    assert refused[0].field == field
    assert LONG not in repr(refused)


@pytest.mark.parametrize("data", [None, [], "{}", {"deep": [[[]]]}])
def test_anything_else_is_refused_too(data: object) -> None:
    assert isinstance(read_proposal(data), tuple)


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for inner in node.values():
            yield from objects(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from objects(inner)


def test_the_schema_is_in_the_strict_form() -> None:
    whole = json.dumps(schema())
    assert "$ref" not in whole
    assert "maxLength" not in whole
    found = list(objects(schema()))
    assert len(found) > 5
    for one in found:
        assert one["required"] == list(one["properties"])
        assert one["additionalProperties"] is False


def test_the_schema_names_the_protocols_that_there_are() -> None:
    names = [protocol.dialect for protocol in WIRE_PROTOCOLS]
    assert schema()["properties"]["protocol"]["properties"]["value"]["enum"] == names
