"""Which models a token may use."""

import pytest

from modelscan.tokens.allowance import Allowance
from modelscan.types import TokenTerms


@pytest.mark.parametrize(
    ("terms", "candidate", "asked", "fits"),
    [
        ({}, ("acme", "echo"), "", True),
        ({"models": ("acme/*",)}, ("acme", "echo"), "", True),
        ({"models": ("acme/*",)}, ("other", "echo"), "", False),
        ({"models": ("echo",)}, ("other", "echo"), "", True),
        ({"models": ("gpt-?",)}, ("acme", "gpt-5"), "", True),
        ({"models": ("gpt-?",)}, ("acme", "gpt-50"), "", False),
        ({"models": ("a/b", "quick")}, ("acme", "echo"), "quick", True),
        ({"models": ("quick",)}, ("acme", "echo"), "", False),
        ({"providers": ("ac*",)}, ("acme", "echo"), "", True),
        ({"providers": ("ac*",), "models": ("quick",)}, ("other", "echo"), "quick", False),
        ({"models": ("acme/echo",)}, ("acme", "ECHO"), "", False),
        ({"models": ("a.b",)}, ("acme", "axb"), "", False),
    ],
)
def test_globs_are_of_the_full_name_the_id_and_the_rules_name(
    terms: dict[str, tuple[str, ...]], candidate: tuple[str, str], asked: str, fits: bool
) -> None:
    assert Allowance("app", TokenTerms(**terms)).fits(*candidate, asked) is fits


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"models": ("a/*", "b")}, "It may use the models a/*, b."),
        ({"providers": ("acme",)}, "It may use the providers acme."),
        ({"models": ("b",), "providers": ("acme",)}, "It may use the models b of the providers acme."),
    ],
)
def test_a_refusal_names_what_is_allowed(terms: dict[str, tuple[str, ...]], said: str) -> None:
    refusal = Allowance("app", TokenTerms(**terms)).refusal("x" * 300)
    assert said in str(refusal)
    assert len(refusal.message) < 150
    assert refusal.fields["allowed"] == {
        "models": [*terms.get("models", ())],
        "providers": [*terms.get("providers", ())],
    }
