"""Another version of a client is served in one step, and the way back is known."""

from typing import Any

import pytest

from modelscan.catalog import activations, canaries, kept, versions
from modelscan.catalog.database import Database
from modelscan.catalog.history import history
from modelscan.clients import activation
from modelscan.clients.keeping import settle, source_of
from modelscan.clients.loading import load_registry
from modelscan.clients.registry import Registry
from modelscan.errors import InvalidInput, ProviderNotFound, VersionNotFound
from modelscan.settings import Settings
from modelscan.types import Activation, ActivationKind, CanaryTerms, utc_now
from tests.router_app.routers import a_spec, publish

BASE = "https://api.example/v1"
TERMS = CanaryTerms(share=0.5)


def database_of(settings: Settings) -> Database:
    return Database(settings.database_path)


def published(settings: Settings, *models: str, **more: Any) -> Database:
    """A version of acme for each of the models, the last of them active."""
    for model in models:
        publish(settings, a_spec(BASE, "acme", (model,)), **more)
    return database_of(settings)


def registry(settings: Settings, before: Registry | None = None) -> Registry:
    return load_registry(database_of(settings), settings.generation.path, before)


def model(settings: Settings, before: Registry | None = None) -> str:
    """The one model that is served tells the version."""
    (found,) = registry(settings, before).served["acme"].spec.models
    return found.id


def corrupt(database: Database, version: int) -> None:
    with database.write() as connection:
        connection.execute("UPDATE sdk_sources SET client = 'import os' WHERE version = ?", [version])


def test_an_activated_version_is_served_with_its_file_and_its_models(settings: Settings) -> None:
    database = published(settings, "one", "two")
    version = activation.activate(database, settings.generation.path, "acme", 1, actor="operator", why="two is slow")
    assert model(settings) == "one"
    assert source_of(database, settings.generation.path, version).fault == ""
    assert [one.version for one in versions.active(database)] == [1]
    with database.read() as connection:
        assert connection.execute("SELECT id FROM models").fetchall() == [("one",)]
    step = history(database, "acme")[0]
    assert (step.kind, step.version, step.before, step.actor, step.why) == (
        "activated",
        1,
        2,
        "operator",
        "two is slow",
    )
    assert step.generation == versions.generation(database) == 3


def test_a_rollback_goes_back_step_by_step_and_never_forward(settings: Settings) -> None:
    database, folder = published(settings, "one", "two", "three"), settings.generation.path
    for expected in ("two", "one"):
        activation.roll_back(database, folder, "acme", actor="operator")
        assert model(settings) == expected
    with pytest.raises(VersionNotFound, match="No version of acme was served before version 1"):
        activation.roll_back(database, folder, "acme", actor="operator")
    activation.roll_back(database, folder, "acme", 3, actor="operator")
    assert model(settings) == "three"
    with pytest.raises(InvalidInput, match="is the one that is served"):
        activation.roll_back(database, folder, "acme", 3, actor="operator")


def step(kind: ActivationKind, version: int, before: int | None = None) -> Activation:
    return Activation(
        generation=1, provider="acme", kind=kind, version=version, before=before, actor="operator", at=utc_now()
    )


@pytest.mark.parametrize(
    ("steps", "back"),
    [
        ([], ()),
        ([step("published", 1)], ()),
        ([step("published", 8, before=7)], (7,)),
        ([step("published", 1), step("published", 2), step("canary-started", 3)], (1,)),
        ([step("published", 1), step("published", 2), step("canary-promoted", 3)], (2, 1)),
        ([step("published", 1), step("published", 2), step("rolled-back", 1), step("published", 3)], (1,)),
        ([step("published", 1), step("published", 2), step("activated", 1)], (2, 1)),
        ([step("published", 5, before=4), step("rolled-back", 2)], (5, 4)),
    ],
)
def test_what_lies_below_the_served_version_is_the_way_back(steps: list[Activation], back: tuple[int, ...]) -> None:
    assert activation.before_active(list(reversed(steps))) == back


def test_what_was_rolled_back_is_not_published_again_by_itself(settings: Settings) -> None:
    database = published(settings, "one", "two")
    activation.roll_back(database, settings.generation.path, "acme", actor="operator")
    assert not publish(settings, a_spec(BASE, "acme", ("two",))).active
    assert versions.was_rolled_back(database, "acme", 2)
    assert versions.active_of(database, "acme").version == 1
    activation.activate(database, settings.generation.path, "acme", 2, actor="operator")
    assert not versions.was_rolled_back(database, "acme", 2)
    assert publish(settings, a_spec(BASE, "acme", ("two",))).active


def test_only_what_was_published_and_is_kept_whole_can_be_served(settings: Settings) -> None:
    database, folder = published(settings, "one", "two"), settings.generation.path
    with pytest.raises(VersionNotFound, match="no version 3: there are 1, 2"):
        activation.activate(database, folder, "acme", 3, actor="operator")
    with pytest.raises(ProviderNotFound, match="Did you mean acme"):
        activation.activate(database, folder, "acne", 1, actor="operator")
    corrupt(database, 1)
    with pytest.raises(VersionNotFound, match="not kept whole"):
        activation.activate(database, folder, "acme", 1, actor="operator")
    assert model(settings) == "two"


def test_what_is_in_the_place_of_its_file_stays_and_the_version_is_served_all_the_same(settings: Settings) -> None:
    database, folder = published(settings, "one", "two"), settings.generation.path
    (folder / "acme.py").unlink()
    (folder / "acme.py").mkdir()
    activation.activate(database, folder, "acme", 1, actor="operator")
    assert model(settings) == "one"
    assert (folder / "acme.py").is_dir()


def test_a_folder_that_cannot_be_written_keeps_nothing_from_being_served(settings: Settings) -> None:
    database, folder = published(settings, "one", "two"), settings.generation.path
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.write_text("a file")
    activation.activate(database, folder / "below", "acme", 1, actor="operator")
    assert model(settings) == "one"


def test_a_start_serves_what_is_active_though_the_folder_is_gone_and_brings_it_back(settings: Settings) -> None:
    database, folder = published(settings, "one", "two"), settings.generation.path
    before = (folder / "acme.py").read_bytes()
    for file in folder.iterdir():
        file.unlink()
    found = registry(settings)
    assert (found.problems, found.served["acme"].version.version) == ((), 2)
    assert "The copy that is kept is served." in found.notes[0]
    settle(database, folder)
    assert (folder / "acme.py").read_bytes() == before
    assert (folder / "test_acme.py").exists()
    assert registry(settings).notes == ()


def test_a_file_that_somebody_changed_is_left_to_them_and_not_served(settings: Settings) -> None:
    database, folder = published(settings, "one"), settings.generation.path
    (folder / "acme.py").write_text("print('mine')")
    settle(database, folder)
    assert (folder / "acme.py").read_text() == "print('mine')"
    found = registry(settings)
    assert model(settings) == "one"
    assert "SHA-256 differs" in found.notes[0]


def test_what_was_published_before_files_were_kept_is_kept_from_the_next_start_on(settings: Settings) -> None:
    database, folder = published(settings, "one", keep=False), settings.generation.path
    assert kept.kept(database, "acme", 1) is None
    settle(database, folder)
    (folder / "acme.py").unlink()
    assert model(settings) == "one"


def test_a_file_that_is_wrong_and_not_kept_is_told_and_stays(settings: Settings) -> None:
    database, folder = published(settings, "one", keep=False), settings.generation.path
    (folder / "acme.py").write_text("import os")
    settle(database, folder)
    assert registry(settings).served == {}
    assert "SHA-256 differs" in registry(settings).problems[0]


def test_a_broken_version_leaves_what_was_served_before_in_its_place(settings: Settings) -> None:
    database, folder = published(settings, "one"), settings.generation.path
    before = registry(settings)
    published(settings, "two")
    corrupt(database, 2)
    (folder / "acme.py").unlink()
    for found in (registry(settings, before), registry(settings)):  # While it runs, and at a start.
        assert found.served["acme"].spec.models[0].id == "one"
        assert "Version 1 is served in its place." in found.problems[0]
        assert found.generation == 2
    corrupt(database, 1)
    assert registry(settings).served == {}


def test_the_newest_files_are_kept_and_those_that_are_served_or_tried(settings: Settings) -> None:
    database = published(settings, "one", "two", "three")
    activation.activate(database, settings.generation.path, "acme", 1, actor="operator")
    activation.try_out(database, "acme", 2, TERMS, actor="operator")
    files = kept.kept(database, "acme", 1)
    assert files
    with database.write() as connection:
        kept.keep(connection, "acme", 13, files)
        kept.keep(connection, "acme", 14, files)
        kept.prune(connection, "acme", 1)
    assert kept.kept_numbers(database, "acme") == {1, 2, 14}
    assert [one.state for one in activation.known(database, "acme")] == ["gone", "canary", "active"]


def test_a_version_on_trial_is_loaded_beside_the_one_that_is_served(settings: Settings) -> None:
    database = published(settings, "one", "one")
    publish(settings, a_spec(BASE, "acme", ("one", "two")))
    activation.roll_back(database, settings.generation.path, "acme", actor="operator")
    activation.try_out(database, "acme", 2, TERMS, actor="operator", why="see")
    found = registry(settings)
    route = found.resolve("acme/one")
    assert (route.version, route.trial and (route.trial.share, route.trial.route.version)) == (1, (0.5, 2))
    assert [one.version.version for one in found.trials] == [2]
    assert registry(settings, found).trials[0].spec is found.trials[0].spec
    activation.stop(database, "acme", actor="operator", why="seen")
    assert registry(settings).trials == ()
    assert [one.kind for one in history(database)[:2]] == ["canary-stopped", "canary-started"]
    with pytest.raises(VersionNotFound, match="No version of acme is on trial"):
        activation.stop(database, "acme", actor="operator")


def test_only_another_version_of_the_same_server_can_be_tried(settings: Settings) -> None:
    database = published(settings, "one")
    with pytest.raises(InvalidInput, match="is the one that is served"):
        activation.try_out(database, "acme", 1, TERMS, actor="operator")
    publish(settings, a_spec("https://other.example/v1", "acme", ("two",)))
    with pytest.raises(InvalidInput, match="not tried at another"):
        activation.try_out(database, "acme", 1, TERMS, actor="operator")


def test_a_trial_that_cannot_be_loaded_is_told_and_the_served_version_answers_alone(settings: Settings) -> None:
    database = published(settings, "one", "two")
    activation.try_out(database, "acme", 1, TERMS, actor="operator")
    corrupt(database, 1)
    found = registry(settings)
    assert (found.trials, found.served["acme"].version.version) == ((), 2)
    assert "It is not tried." in found.problems[0]


def test_a_trial_of_another_server_is_not_loaded(settings: Settings) -> None:
    database = published(settings, "one")
    publish(settings, a_spec("https://other.example/v1", "acme", ("two",)))
    canaries.start(database, "acme", 1, TERMS, actor="operator")
    found = registry(settings)
    assert found.trials == ()
    assert "goes to another server" in found.problems[0]


def test_a_publication_tries_the_new_version_where_that_is_asked(settings: Settings) -> None:
    database = published(settings, "one")
    for name, trials in (("two", [2]), ("two", [2]), ("three", [3])):
        assert not publish(settings, a_spec(BASE, "acme", (name,)), terms=TERMS).active
        assert [one.version for one in canaries.canaries(database)] == trials
    assert versions.active_of(database, "acme").version == 1
    kinds = [(one.kind, one.version) for one in reversed(history(database, "acme"))]
    assert kinds == [
        ("published", 1),
        ("canary-started", 2),
        ("canary-stopped", 2),
        ("canary-started", 3),
    ]
    publish(settings, a_spec(BASE, "acme", ("four",)))
    assert canaries.canaries(database) == ()


def test_the_first_version_of_a_provider_is_served_at_once(settings: Settings) -> None:
    assert publish(settings, a_spec(BASE, "acme", ("one",)), terms=TERMS).active


def test_an_activation_of_what_is_tried_ends_the_trial_without_a_word_of_its_own(settings: Settings) -> None:
    database = published(settings, "one", "two")
    activation.try_out(database, "acme", 1, TERMS, actor="operator")
    (trial,) = canaries.canaries(database)
    activation.activate(database, settings.generation.path, "acme", 1, actor="operator")
    assert [one.kind for one in history(database)[:2]] == ["activated", "canary-started"]
    assert canaries.end(database, trial, "canary-rolled-back", actor="canary") is None
    spec = activation.opened(database, "acme", 1)[1]
    seen = canaries.counts(database, [trial])[0]
    assert activations.promote(database, trial, spec, actor="canary", why="", seen=seen) is None
