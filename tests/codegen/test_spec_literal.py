"""A module's SPEC is read without running the module, and only whole."""

import pytest

from modelscan.codegen.render import render_client
from modelscan.codegen.spec_literal import read_literal, read_spec
from modelscan.errors import GenerationRefused
from tests.codegen.golden import RECORDS, SPECS

SOURCE = render_client(SPECS[0], RECORDS)


def test_the_records_stand_beside_it_without_what_they_hold() -> None:
    literal = read_literal(SOURCE)
    assert [record["url"] for record in literal["records"]] == ["https://models.dev/api.json"]
    assert "payload" not in literal["records"][0]
    assert read_spec(SOURCE.encode()) == SPECS[0]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "has no SPEC"),
        ("SPEC = {}", "has no SPEC"),
        ("SPEC: dict", "has no SPEC"),
        ("SPEC: list = []", "has no SPEC"),
        ("SPEC: dict = {", "cannot be read"),
        ("SPEC: dict = open('x')", "cannot be read"),
        ("SPEC: dict = {}\x00", "cannot be read"),
        (b"SPEC: dict = {'\xff': 1}", "cannot be read"),
        ("SPEC: dict = {}", "is not a specification"),
        (SOURCE.replace("https://api.acme", "https://evil"), "does not have the digest"),
    ],
)
def test_what_is_no_generated_client_is_refused(source: str | bytes, why: str) -> None:
    with pytest.raises(GenerationRefused, match=why):
        read_spec(source)
