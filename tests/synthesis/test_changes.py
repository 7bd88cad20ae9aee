"""What a candidate would change is said field by field, models and prices included."""

from decimal import Decimal

from modelscan.synthesis.changes import changes_between
from modelscan.types import Auth, Change, Model, Price
from modelscan.wire import protocol_named
from tests.validation.specs import a_spec

OLD = Model(id="old")
DEAR = Model(id="same", price=Price(input_mtok=Decimal("0.30")), context_tokens=1024)
CHEAP = Model(id="same", price=Price(input_mtok=Decimal("0.3"), output_mtok=Decimal(1)), context_tokens=2048)


def changed(before: object, after: object) -> dict[str, tuple[str, str]]:
    return {one.field: (one.before, one.after) for one in changes_between(before, after)}  # type: ignore[arg-type]


def test_what_says_the_same_changes_nothing() -> None:
    assert changes_between(a_spec(), a_spec()) == ()


def test_the_first_version_changes_everything_from_nothing() -> None:
    after = a_spec(models=(DEAR, OLD), test_model="old", auth=Auth(kind="none"))
    found = changed(None, after)
    assert found["base_url"] == ("none", after.base_url)
    assert found["auth"] == ("none", "no key")
    assert found["models.added"] == ("none", "old, same")
    assert "models.removed" not in found


def test_address_key_models_and_prices_are_compared_and_an_unknown_price_is_unknown() -> None:
    before = a_spec(models=(OLD, DEAR), test_model="same", auth=Auth(kind="none"))
    after = a_spec(models=(Model(id="new"), CHEAP), test_model="same", auth=Auth(), base_url="https://other.example/v1")
    assert changed(before, after) == {
        "base_url": (before.base_url, "https://other.example/v1"),
        "auth": ("no key", "key in Authorization Bearer"),
        "models.added": ("none", "new"),
        "models.removed": ("old", "none"),
        "same price.output_mtok": ("unknown", "1"),
        "same context_tokens": ("1024", "2048"),
    }


def test_a_change_is_three_texts() -> None:
    (change,) = changes_between(a_spec(), a_spec(name="Other"))
    assert change == Change(field="name", before=a_spec().name, after="Other")


def test_another_mapping_is_another_way_of_speaking() -> None:
    cohere, ollama = (
        a_spec(protocol=row.name, rest=row.rest, endpoints=row.endpoints)
        for row in (protocol_named("cohere_v2"), protocol_named("ollama_chat"))
    )
    assert changed(cohere, ollama) == {"mapping": ("cohere_v2", "ollama_chat")}
    assert changed(a_spec(), ollama)["mapping"] == ("none", "ollama_chat")
