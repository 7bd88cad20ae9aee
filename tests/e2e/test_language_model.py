"""A language model in a discovery that a person types, scripted: asked where rules do not suffice, and nowhere else."""

from decimal import Decimal

import pytest

from tests.e2e.conftest import CANARIES, KEY
from tests.e2e.service import Service
from tests.synthesis.scripted_llm import ScriptedModel

pytestmark = pytest.mark.prefect


def test_what_no_rule_tells_is_proposed_refused_once_and_live(service: Service, language_model: ScriptedModel) -> None:
    added = service.add("mystery/small", "--api-key", KEY)
    assert (added["level"], added["error"]) == ("live", None)
    assert [call["outcome"] for call in added["calls"]] == ["rejected", "accepted"]
    assert "no trusted record and no operator names this address" in added["calls"][0]["detail"]
    assert sum(Decimal(call["cost_usd"]) for call in added["calls"]) == Decimal("0.009")
    assert added["synthesis"] == "by claude-sonnet-4-5 (2 calls, 2200 tokens, $0.0090)"
    assert service.chat("mystery/small").status_code == 200
    assert language_model.headers[0]["authorization"] == f"Bearer {CANARIES[1]}"
    assert all(key not in prompt for key in (*CANARIES, KEY) for prompt in language_model.prompts)


def test_a_known_provider_asks_no_model(service: Service, language_model: ScriptedModel) -> None:
    before = len(language_model.asked)
    added = service.add("demo/echo", "--refresh")
    assert (added["calls"], added["synthesis"]) == ([], "by rules")
    assert len(language_model.asked) == before
