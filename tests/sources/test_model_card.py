from typing import Any

import pytest

from modelscan.sources.model_card import card_of
from tests.corpus import corpus_file


def card(front: str, text: str = "\n# Model") -> tuple[dict[str, Any], str]:
    return card_of(f"---\n{front}\n---{text}".encode())


def test_a_few_fields_are_kept_and_no_text() -> None:
    fields, note = card(
        "license: mit\ntags: [a, b]\nbase_model: [x/y]\nwidget:\n- text: say it\nextra_gated_prompt: obey"
    )
    assert (fields, note) == ({"license": "mit", "tags": ["a", "b"], "base_model": ["x/y"]}, "")


def test_without_a_front_matter_there_is_nothing_and_nothing_wrong() -> None:
    assert card_of(b"# Model") == ({}, "")


@pytest.mark.parametrize(
    ("front", "why"),
    [
        ("[]", "holds no fields"),
        ("a: b: c", "no YAML"),
        ("a: &a [x]\nb: " + "[" * 5 + ", ".join(["*a"] * 6000) + "]" * 5, "more than 5000 values"),
        ("x: " + "y" * 70_000, "more than 65536 characters"),
    ],
)
def test_a_front_matter_that_is_not_taken_is_said(front: str, why: str) -> None:
    fields, note = card(front)
    assert fields == {}
    assert why in note


def test_a_field_of_another_form_is_left_out_and_named() -> None:
    assert card("license: {a: b}\nlibrary_name: timm") == (
        {"library_name": "timm"},
        "fields of its model card that cannot be read: license",
    )


def test_endless_values_are_cut() -> None:
    fields, _ = card(f"license: {'x' * 300}\ntags: [{', '.join(f't{number}' for number in range(60))}]")
    assert (len(fields["license"]), len(fields["tags"])) == (200, 50)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("sample_windows_line_breaks.md", {"license": "mit", "language": "eo"}),
        ("sample_no_metadata.md", {}),
        ("sample_invalid_card_data.md", {}),
        ("sample_simple_model_index.md", {"license": "mit", "language": "en", "library_name": "timm"}),
        ("modelcard_gated_gemma-3-270m-gguf.md", {"license": "gemma", "base_model": "google/gemma-3-270m"}),
    ],
)
@pytest.mark.peer
def test_recorded_cards_are_read(name: str, fields: dict[str, Any]) -> None:
    found, note = card_of(corpus_file(f"hf/{name}").read_bytes())
    assert fields.items() <= found.items()
    assert bool(note) is ("invalid" in name)
