"""`modelscan dossier`, as a person reads it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.knowing import tell

LISTED: dict[tuple[str, str], Any] = {
    ("acme", "name"): "Acme",
    ("acme", "models"): ["anvil", "rocket"],
    ("acme/anvil", "price.input_mtok"): "0.27",
    ("acme/anvil", "price.output_mtok"): "1.10",
    ("acme/anvil", "name"): "\x1b[31mAnvil " + "x" * 60,
    ("acme/rocket", "context_tokens"): 8192,
}
OTHERS: dict[tuple[str, str], Any] = {
    ("acme/anvil", "price.input_mtok"): "0.3",
    ("acme/anvil", "price.output_mtok"): "1.1",
}


@pytest.fixture
def told(home: Path) -> None:
    """What two sources say of acme."""
    tell(home, "models.dev", LISTED, stale=True)
    tell(home, "genai-prices", OTHERS)


@pytest.mark.usefixtures("told")
def test_a_models_dossier_marks_conflicts_and_says_what_is_unknown(run: Run) -> None:
    done = run("dossier", "acme/anvil")
    lines = [line.split() for line in done.stdout.splitlines()]
    price = lines.index(["!", "price.input_mtok", "0.27", "models.dev"])
    assert lines[price + 1] == ["or", "0.3", "genai-prices"]
    assert ["price.output_mtok", "1.10", "models.dev,", "genai-prices"] in lines
    assert ["price.cache_read_mtok", "unknown", "-"] in lines
    assert "3 fields known, 1 conflict (marked !; * was decided)." in done.stdout
    assert "(snapshot)" in done.stdout
    assert "https://genai-prices/list" in done.stdout


@pytest.mark.usefixtures("told")
def test_scraped_text_is_short_and_cannot_steer_the_terminal(run: Run) -> None:
    shown = run("dossier", "acme/anvil").stdout
    assert "\x1b" not in shown
    assert all(len(line.rstrip()) <= 80 for line in shown.splitlines())


@pytest.mark.usefixtures("told")
def test_a_providers_dossier_sums_its_models_up(run: Run) -> None:
    shown = run("dossier", "Acme").stdout
    assert "2: anvil, rocket" in shown
    assert "2 models known; with conflicts: 1 (anvil); of unknown price: 1 (rocket)." in shown
    assert "modelscan dossier acme/anvil" in shown
    assert "price.input_mtok" not in shown


@pytest.mark.usefixtures("told")
def test_the_same_in_json_has_every_claim(run: Run) -> None:
    found = json.loads(run("dossier", "acme/anvil", "--json").stdout)
    assert found["subject"] == "acme/anvil"
    assert "price.cache_read_mtok" in found["unknown"]
    assert [one["differ"][0]["source"] for one in found["fields"] if one["differ"]] == ["genai-prices"]
    assert json.loads(run("dossier", "acme", "--json").stdout)["models"][0]["conflicts"] == 1


def test_without_a_catalogue_it_says_so(run: Run, home: Path) -> None:
    done = run("dossier", "acme/anvil")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Nothing is known of acme/anvil." in done.stderr
    assert "modelscan add acme/anvil" in done.stderr
    assert list(home.iterdir()) == []
