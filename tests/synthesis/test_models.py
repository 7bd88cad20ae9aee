from typing import Any

import pytest

from modelscan.errors import NotEnoughEvidence, UnknownIdentifier
from modelscan.sources.provider_itself import Observation
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.models import left_out, models_for
from modelscan.types import SourceRecord
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES
from modelscan.wire.openai_chat import OPENAI_CHAT
from tests.synthesis.telling import ACME, BOX, evidence, listed, operator, provider, saw


def ids(told: Evidence, base_url: str = ACME) -> list[str]:
    return [model.id for model in models_for(told, base_url, OPENAI_CHAT)[0]]


def itself(*models: str) -> Observation:
    return saw("GET", 200, *models, base_url=ACME)


def test_only_what_chats_in_this_protocol_is_served() -> None:
    told = evidence("acme", listed())
    assert ids(told) == ["anvil", "anvil-embed", "anvil-guard", "anvil-old", "rocket/skates:v2"]
    assert left_out(told, OPENAI_CHAT) == 4


def test_what_makes_vectors_is_served_as_such_and_never_tried_with_a_chat() -> None:
    told = evidence("acme/anvil-embed", listed())
    models, tried, _ = models_for(told, ACME, OPENAI_CHAT)
    assert {model.id: model.capabilities for model in models}["anvil-embed"] == ("embeddings",)
    assert tried == "anvil"
    other = models_for(evidence("acme", listed()), ACME, ANTHROPIC_MESSAGES)[0]
    assert "anvil-embed" not in {model.id for model in other}
    assert left_out(told, ANTHROPIC_MESSAGES) == 5


def test_a_provider_whose_models_all_make_vectors_has_none_to_chat_with() -> None:
    only = {"acme-embed": {"id": "acme-embed", "modalities": {"input": ["text"], "output": ["text"]}}}
    with pytest.raises(NotEnoughEvidence, match="no source lists a model that chats"):
        models_for(evidence("acme", listed(models=only)), ACME, OPENAI_CHAT)


def test_on_an_own_server_names_tell_what_makes_vectors_unless_all_do() -> None:
    def served(*names: str) -> list[tuple[str, tuple[str, ...]]]:
        told = evidence("local", operator(), provider(saw("GET", 200, *names)))
        return [(model.id, model.capabilities) for model in models_for(told, BOX, OPENAI_CHAT)[0]]

    assert served("BAAI/bge-m3", "smol") == [("BAAI/bge-m3", ("embeddings",)), ("smol", ())]
    assert served("nomic-embed-text") == [("nomic-embed-text", ())]


def test_what_the_provider_lists_itself_goes_before_the_list() -> None:
    told = evidence("acme", listed(), provider(itself("anvil", "anvil-embed", "brand-new"), url=ACME))
    models, _, record = models_for(told, ACME, OPENAI_CHAT)
    assert ([model.id for model in models], record.source) == (["anvil", "anvil-embed"], "provider")
    assert models[0].context_tokens == 128_000


def test_a_model_newer_than_the_list_can_be_asked_for() -> None:
    told = evidence("acme/brand-new", listed(), provider(itself("anvil", "brand-new"), url=ACME))
    assert (ids(told), models_for(told, ACME, OPENAI_CHAT)[1]) == (["anvil", "brand-new"], "brand-new")


def test_a_provider_that_lists_nothing_known_leaves_it_to_the_list() -> None:
    told = evidence("acme", listed(), provider(itself("something-else"), url=ACME))
    assert models_for(told, ACME, OPENAI_CHAT)[2].source == "models.dev"


def test_a_provider_without_a_list_of_models_is_taken_at_its_own() -> None:
    told = evidence("bare", listed("bare", "missing"), provider(itself("b", "a"), url=ACME))
    assert ids(told) == ["a", "b"]


@pytest.mark.parametrize("odd", ["", " spaced", "x" * 257, "line\nbreak"])
def test_ids_that_cannot_be_ours_are_left_out(odd: str) -> None:
    assert ids(evidence("local", operator(), provider(saw("GET", 200, odd, "fine"))), BOX) == ["fine"]


def test_the_model_to_try_is_the_cheapest_that_calls_tools_and_is_not_deprecated() -> None:
    assert models_for(evidence("acme", listed()), ACME, OPENAI_CHAT)[1] == "anvil"


def test_without_such_a_model_the_cheapest_is_tried_and_without_prices_the_first() -> None:
    priced = {
        "b": {"id": "b", "cost": {"output": 1}},
        "a": {"id": "a", "cost": {"output": 2}},
        "free": {"id": "free", "cost": {"output": 0}},
    }
    assert models_for(evidence("acme", listed(models=priced)), ACME, OPENAI_CHAT)[1] == "b"
    assert (
        models_for(evidence("acme", listed(models={"z": {"id": "z"}, "y": {"id": "y"}})), ACME, OPENAI_CHAT)[1] == "y"
    )


def test_an_unlisted_model_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownIdentifier, match="does not list the model 'anvl'") as caught:
        models_for(evidence("acme/anvl", listed()), ACME, OPENAI_CHAT)
    assert caught.value.fields["nearest"][0] == "acme/anvil"
    assert caught.value.hint == "modelscan add acme/anvil"


def test_a_model_like_no_other_is_told_with_what_there_is() -> None:
    with pytest.raises(UnknownIdentifier, match="It has anvil, anvil-embed, anvil-guard"):
        models_for(evidence("acme/00000", listed()), ACME, OPENAI_CHAT)


def test_an_own_server_must_list_the_model_that_is_asked_for() -> None:
    with pytest.raises(UnknownIdentifier, match="It has smol"):
        models_for(evidence("local/other", operator(), provider(saw("GET", 200, "smol"))), BOX, OPENAI_CHAT)


def test_an_own_server_that_lists_nothing_is_believed_for_the_model_its_operator_names() -> None:
    models, test_model, record = models_for(
        evidence("local/smol", operator(), provider(saw("GET", 404))), BOX, OPENAI_CHAT
    )
    assert ([model.id for model in models], test_model, record.source) == (["smol"], "smol", "operator")


def test_an_own_server_that_lists_nothing_needs_a_model_to_be_named() -> None:
    with pytest.raises(NotEnoughEvidence, match="Name one"):
        models_for(evidence("local", operator(), provider(saw("GET", 404))), BOX, OPENAI_CHAT)


def stack(*served: str, **categories: list[str]) -> SourceRecord:
    routes = [{"name": name, "categories": of} for name, of in categories.items()]
    payload: Any = {"model-routes": routes, "served": [{"id": id_} for id_ in served]}
    return SourceRecord.of(source="gpustack", subject="local", url=BOX, payload=payload, trusted=False)


def test_of_a_gpustack_server_what_it_calls_language_models_is_served_and_it_is_cited() -> None:
    told = evidence(
        "local", operator(), provider(saw("GET", 200, "bge", "smol")), stack("bge", "smol", bge=["embedding"])
    )
    models, to_try, record = models_for(told, BOX, OPENAI_CHAT)
    assert ([model.id for model in models], to_try, record.source) == (["smol"], "smol", "gpustack")


def test_a_gpustack_server_that_shows_nothing_leaves_it_to_its_open_answers() -> None:
    told = evidence("local", operator(), provider(saw("GET", 200, "smol")), stack())
    assert models_for(told, BOX, OPENAI_CHAT)[2].source == "provider"
