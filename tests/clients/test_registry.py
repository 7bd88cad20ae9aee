"""The registry finds a model by any of its names, and is loaded from what the catalogue says is active."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.catalog.database import Database
from modelscan.clients.loading import load_registry
from modelscan.clients.registry import Registry, Served
from modelscan.errors import AmbiguousModel, UnknownModel
from modelscan.settings import Settings
from modelscan.types import ClientSpec, Level, SdkVersion, utc_now
from tests.catalogues import migrate
from tests.router_app.routers import a_spec, publish

BASE = "https://api.example/v1"


def served(spec: ClientSpec) -> Served:
    version = SdkVersion(
        provider=spec.provider,
        version=1,
        digest=spec.digest,
        path="x.py",
        sha256="0" * 64,
        level=Level.CONTRACT,
        active=True,
        published_at=utc_now(),
    )
    return Served(version, spec)


def registry(**models: tuple[str, ...]) -> Registry:
    return Registry.of(7, [served(a_spec(BASE, name, ids)) for name, ids in models.items()])


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("openai/gpt-4", "openai", "gpt-4"),
        ("openai:gpt-4", "openai", "gpt-4"),
        ("gpt-4", "openai", "gpt-4"),
        ("openrouter/meta-llama/x", "openrouter", "meta-llama/x"),
        ("openrouter:meta-llama/x", "openrouter", "meta-llama/x"),
        ("meta-llama/x", "openrouter", "meta-llama/x"),
        ("llama3:8b", "openrouter", "llama3:8b"),
        ("openai", "openrouter", "openai"),
    ],
)
def test_a_model_is_found_by_each_of_its_names(name: str, provider: str, model: str) -> None:
    found = registry(openai=("gpt-4",), openrouter=("meta-llama/x", "llama3:8b", "openai")).resolve(name)
    assert (found.spec.provider, found.model) == (provider, model)


def test_a_bare_name_that_several_providers_have_lists_the_choices() -> None:
    with pytest.raises(AmbiguousModel) as ambiguous:
        registry(one=("echo",), two=("echo",)).resolve("echo")
    assert ambiguous.value.fields["choices"] == ["one/echo", "two/echo"]


def test_no_other_provider_answers_for_the_one_that_was_named() -> None:
    with pytest.raises(UnknownModel):
        registry(openai=("gpt-4",), openrouter=("openai/gpt-5",)).resolve("openai/gpt-5")


@pytest.mark.parametrize("name", ["openai/gpt4", "gpt-5", "opnai/gpt-4"])
def test_an_unknown_model_names_the_nearest(name: str) -> None:
    with pytest.raises(UnknownModel) as unknown:
        registry(openai=("gpt-4",)).resolve(name)
    assert unknown.value.fields["nearest"] == ["openai/gpt-4"]


def test_nothing_near_says_where_the_list_is() -> None:
    with pytest.raises(UnknownModel, match="GET /v1/models"):
        Registry().resolve("zzz")


@pytest.mark.no_cover
@given(st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_any_name_is_a_route_or_a_clear_error(name: str, other: str) -> None:
    try:
        found = registry(acme=("echo",), other=("echo", "a/b")).resolve(name + other)
    except (UnknownModel, AmbiguousModel):
        return
    assert found.model in {"echo", "a/b"}


def test_a_variable_in_the_base_url_is_filled_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_ACCOUNT", "a1")
    spec = a_spec("https://api.example/${ACME_ACCOUNT}/${ACME_PROJECT}/v1/")
    url = Registry.of(1, [served(spec)]).resolve("echo").url
    assert url == "https://api.example/a1/${ACME_PROJECT}/v1/chat/completions"


def test_a_bad_file_costs_its_provider_only(settings: Settings) -> None:
    publish(settings, a_spec(BASE, "good", ("one",)))
    bad = publish(settings, a_spec(BASE, "bad", ("two",)), keep=False)
    (settings.generation.path / bad.path).write_text("SPEC = {}")
    loaded = load_registry(Database(settings.database_path), settings.generation.path)
    assert set(loaded.served) == {"good"}
    assert loaded.generation == 2
    assert "bad.py" in loaded.problems[0]


def test_what_is_served_stays_served_while_its_file_is_being_replaced(settings: Settings) -> None:
    database, folder = Database(settings.database_path), settings.generation.path
    version = publish(settings, a_spec(BASE), keep=False)
    before = load_registry(database, folder)
    (folder / version.path).write_text("# a newer client, which the catalogue does not name yet")
    after = load_registry(database, folder, before)
    assert after.served["acme"].spec is before.served["acme"].spec
    assert after.problems


def test_an_unchanged_client_is_not_parsed_again_and_a_new_version_is(settings: Settings) -> None:
    database, folder = Database(settings.database_path), settings.generation.path
    publish(settings, a_spec(BASE, "same"))
    publish(settings, a_spec(BASE, "changes"))
    before = load_registry(database, folder)
    publish(settings, a_spec(BASE, "changes", ("echo", "more")))
    after = load_registry(database, folder, before)
    assert after.served["same"].spec is before.served["same"].spec
    assert after.resolve("changes/more").model == "more"
    assert after.generation > before.generation


def test_an_empty_catalogue_gives_an_empty_registry(settings: Settings) -> None:
    database = Database(settings.database_path)
    migrate(database)
    assert dict(load_registry(database, settings.generation.path).served) == {}
