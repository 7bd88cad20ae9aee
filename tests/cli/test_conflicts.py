"""`modelscan conflicts`: listed, decided, and undone, with the service down."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.knowing import tell

PRICE = "price.input_mtok"


@pytest.fixture
def told(home: Path) -> None:
    """Two sources that disagree on a price of acme/anvil."""
    tell(home, "models.dev", {("acme/anvil", PRICE): "0.27", ("acme", "name"): "Acme"})
    tell(home, "genai-prices", {("acme/anvil", PRICE): "0.3"})


def rows(run: Run, *arguments: str) -> list[list[str]]:
    return [line.split() for line in run("conflicts", *arguments).stdout.splitlines()[1:]]


@pytest.mark.usefixtures("told")
def test_conflicts_are_listed_with_what_counts_and_what_others_say(run: Run) -> None:
    wanted = [["acme/anvil", PRICE, "0.27", "models.dev", "genai-prices:", "0.3"]]
    assert rows(run) == rows(run, "--provider", "acme") == wanted
    assert rows(run, "--provider", "other") == []
    assert [one["field"] for one in json.loads(run("conflicts", "--json").stdout)] == [PRICE]


@pytest.mark.usefixtures("told")
def test_an_accepted_conflict_is_listed_only_when_asked_for(run: Run) -> None:
    done = run("conflicts", "accept", "acme/anvil", PRICE)
    assert "0.27 is accepted" in done.stdout
    assert rows(run) == []
    assert rows(run, "--all") == [["acme/anvil", PRICE, "0.27", "models.dev", "genai-prices:", "0.3", "accepted"]]


@pytest.mark.usefixtures("told")
def test_a_pin_is_shown_listed_and_undone(run: Run) -> None:
    done = run("conflicts", "pin", "acme/anvil", PRICE, "0.25")
    assert "modelscan add acme/anvil" in done.stdout
    (made,) = json.loads(run("conflicts", "decisions", "acme", "--json").stdout)
    assert (made["kind"], made["value"]) == ("pin", "0.25")
    assert f"modelscan conflicts undo {made['id']}" in done.stdout
    shown = [line.split() for line in run("dossier", "acme/anvil").stdout.splitlines()]
    assert ["*", PRICE, "0.25", "pin"] in shown
    assert ["or", "0.27", "models.dev"] in shown
    assert rows(run) == []
    assert "is undone" in run("conflicts", "undo", made["id"]).stdout
    assert len(rows(run)) == 1
    assert run("conflicts", "undo", made["id"]).exit_code == 1


@pytest.mark.usefixtures("told")
def test_a_rejected_claim_is_kept_and_shown_as_rejected(run: Run) -> None:
    for source in ("genai-prices", "models.dev"):
        assert run("conflicts", "reject", "acme/anvil", PRICE, source).exit_code == 0
    shown = [line.split() for line in run("dossier", "acme/anvil").stdout.splitlines()]
    assert ["*", PRICE, "unknown", "-"] in shown
    assert ["rejected", "0.3", "genai-prices"] in shown
    assert rows(run, "--all") == [["acme/anvil", PRICE, "unknown", "-", "-", "rejected"]]
    assert [row[1] for row in rows(run, "decisions")] == ["reject", "reject"]


@pytest.mark.usefixtures("told")
def test_in_json_a_decision_and_its_end_are_the_decision(run: Run) -> None:
    made = json.loads(run("conflicts", "reject", "acme/anvil", PRICE, "genai-prices", "--json").stdout)
    assert (made["kind"], made["source"]) == ("reject", "genai-prices")
    assert json.loads(run("conflicts", "undo", made["id"], "--json").stdout) == made


@pytest.mark.usefixtures("told")
def test_what_cannot_be_decided_is_said_with_what_can(run: Run) -> None:
    done = run("conflicts", "pin", "acme/anvil", "price", "1")
    assert done.exit_code == 1
    assert PRICE in done.stderr
    assert "is no price" in run("conflicts", "pin", "acme/anvil", PRICE, "cheap").stderr


def test_without_a_catalogue_nothing_is_made(run: Run, home: Path) -> None:
    assert "do not disagree" in run("conflicts").stderr
    assert json.loads(run("conflicts", "--json").stdout) == []
    assert "Nothing was decided yet" in run("conflicts", "decisions").stderr
    assert "Nothing is known of acme" in run("conflicts", "pin", "acme", "name", "x").stderr
    assert "no decision 'abc'" in run("conflicts", "undo", "abc").stderr
    assert list(home.iterdir()) == []
