"""Proposals as the tests of the language models tell them, and evidence that is too thin for rules."""

from typing import Any

from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.proposal import SpecProposal
from tests.synthesis.telling import ACME, evidence, listed, provider, saw

__all__ = ["LISTED", "SEEN", "proposal", "read", "said", "thin"]

LISTED = listed(npm="acme-ai-sdk", api=ACME)
"""models.dev's row with an address, and a package that tells no protocol."""
SEEN = provider(saw("GET", 200, "anvil", base_url=ACME), saw("POST", 401, base_url=ACME), url=ACME)


def thin(identifier: str = "acme/anvil") -> Evidence:
    """Rules raise NotEnoughEvidence for it: the address is known, and what is spoken there is not."""
    return evidence(identifier, LISTED, SEEN)


def said(value: Any, *records: str) -> dict[str, Any]:
    """One cited value."""
    return {"value": value, "records": list(records)}


def proposal(**changes: Any) -> dict[str, Any]:
    """The right one for `thin()`, as a model would write it."""
    fields = {
        "protocol": said("openai_chat", SEEN.id),
        "base_url": said(ACME, LISTED.id),
        "auth": None,
        "headers": None,
        "quirks": None,
        "models": None,
        "test_model": None,
        "notes": "Its errors are OpenAI's.",
    }
    return fields | changes


def read(**changes: Any) -> SpecProposal:
    """The same, read."""
    return SpecProposal.model_validate(proposal(**changes))
