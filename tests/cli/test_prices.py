"""`modelscan prices`, and usage priced anew: with the service down."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelscan.catalog.database import Database
from modelscan.cli import reprice
from modelscan.synthesis.prices import renew_prices
from modelscan.types import Usage
from tests.catalog.test_reprice import used
from tests.cli.admin_api import AdminApi, served
from tests.cli.conftest import Run
from tests.cli.knowing import tell

INPUT, OUTPUT = "price.input_mtok", "price.output_mtok"
TIERS = [{"over": 200_000, "input_mtok": "2", "output_mtok": "4"}]


@pytest.fixture
def database(home: Path) -> Database:
    """acme/anvil costs $10 and $2 a million tokens, otherwise where a prompt is long; of acme/rocket nobody says it."""
    tell(home, "models.dev", {("acme/anvil", INPUT): "10", ("acme/anvil", "price.tiers"): TIERS})
    tell(home, "genai-prices", {("acme/anvil", OUTPUT): "2", ("acme/rocket", "name"): "Rocket"}, stale=True)
    database = Database(home / "data" / "modelscan.duckdb")
    renew_prices(database, "acme")
    return database


@pytest.fixture
def usage(database: Database) -> Database:
    """A hundred thousand tokens for $3, as many at an unknown cost, and some of a model without a price."""
    at = datetime(2026, 11, 27, 12, tzinfo=UTC)
    used(database, Usage(100_000, 0), cost="3", at=at)
    used(database, Usage(100_000, 0), at=at)
    used(database, Usage(1, 1), model="rocket", at=at)
    return database


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.mark.usefixtures("database")
def test_prices_are_listed_with_their_sources_and_tiers(run: Run) -> None:
    for subject in ((), ("acme",)):
        shown = lines(run("prices", *subject).stdout)
        assert shown[1][:5] == ["acme/anvil", "10", "2", "-", "-"]
        assert ">200,000: input 2, output 4" in run("prices").stdout
        assert "genai-prices, models.dev" in run("prices").stdout
    assert json.loads(run("prices", "other", "--json").stdout) == []
    (version,) = json.loads(run("prices", "--json").stdout)
    assert version["tariff"]["cache_read_mtok"] is None


@pytest.mark.usefixtures("database")
def test_of_a_model_all_that_it_ever_cost_is_shown_with_who_said_so(run: Run) -> None:
    assert run("conflicts", "pin", "acme/anvil", INPUT, "0.5").exit_code == 0
    shown = run("prices", "acme/anvil").stdout
    told = [line for line in lines(shown) if line[-1:] == ["https://models.dev/list"] or line[-3:-2] == ["pin"]]
    assert [line[-4] for line in told if "tiers" not in line] == ["0.5", "10"]
    assert "2 versions, the one in force first" in shown
    assert "(snapshot)" in shown
    assert "modelscan conflicts pin acme/anvil" in shown
    newest, first = json.loads(run("prices", "acme/anvil", "--json").stdout)
    assert (newest["tariff"]["input_mtok"], newest["evidence"]["input_mtok"]["source"]) == ("0.5", "pin")
    assert first["evidence"]["output_mtok"]["source"] == "genai-prices"


@pytest.mark.usefixtures("database")
def test_a_price_that_is_gone_is_unknown(run: Run) -> None:
    for field, source in ((INPUT, "models.dev"), ("price.tiers", "models.dev"), (OUTPUT, "genai-prices")):
        assert run("conflicts", "reject", "acme/anvil", field, source).exit_code == 0
    assert lines(run("prices", "acme").stdout)[1][:4] == ["acme/anvil", "-", "-", "-"]
    assert lines(run("prices", "acme/anvil").stdout)[1][2:4] == ["all", "unknown"]


def test_what_has_no_price_says_how_to_give_it_one(run: Run, home: Path) -> None:
    assert "No price is known yet" in run("prices").stderr
    tell(home, "models.dev", {("acme/anvil", "name"): "Anvil"})
    refused = run("prices", "acme/anvil")
    assert refused.exit_code == 1
    assert "modelscan conflicts pin acme/anvil" in refused.stderr


@pytest.mark.usefixtures("usage")
def test_the_difference_is_shown_and_nothing_is_changed_without_a_word(run: Run) -> None:
    shown = run("usage", "reprice")
    assert ["acme/anvil", "2", "1", "3", "2", "-1"] in lines(shown.stdout)
    assert "2 requests of all models: $3 before, $2 after, a difference of -$1; 1 had no known cost" in shown.stdout
    assert "1 request cost what is still unknown" in shown.stdout
    assert "Nothing is changed yet" in shown.stdout
    assert json.loads(run("usage", "reprice", "--json").stdout)["difference_usd"] == "-1"
    assert "No usage was priced anew yet" in run("usage", "audits").stderr


@pytest.mark.usefixtures("usage")
@pytest.mark.parametrize(("word", "audits"), [("n", 0), ("y", 1)])
def test_a_person_at_a_terminal_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch, word: str, audits: int) -> None:
    monkeypatch.setattr(reprice, "_at_a_terminal", lambda: True)
    assert "Apply it? [y/N]" in run("usage", "reprice", input=f"{word}\n").stdout
    assert len(json.loads(run("usage", "audits", "--json").stdout)) == audits


@pytest.mark.usefixtures("usage")
def test_applied_it_leaves_an_audit_and_nothing_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    scope = ("--provider", "acme", "--model", "anvil", "--since", "2026-11-27", "--until", "2026-11-28")
    done = run("usage", "reprice", *scope, "--apply")
    assert "Applied to 2 requests" in done.stdout
    (audit,) = json.loads(run("usage", "audits", "--json").stdout)
    assert audit["id"] in done.stdout
    assert (audit["by"], audit["done"]["rows"], audit["done"]["scope"]["model"]) == ("ada", 2, "anvil")
    assert "acme/anvil since 2026-11-27 00:00 until 2026-11-28 00:00" in run("usage", "audits").stdout
    assert "No cost is another one" in run("usage", "reprice", "--apply").stdout
    assert json.loads(run("usage", "reprice", "--apply", "--json").stdout)["audit"] is None


@pytest.mark.usefixtures("usage")
def test_a_user_without_a_name_may_apply_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert json.loads(run("usage", "reprice", "--apply", "--json").stdout)["audit"]
    assert json.loads(run("usage", "audits", "--json").stdout)[0]["by"] == "unknown"


def test_without_usage_there_is_nothing_to_price(run: Run) -> None:
    assert run("usage", "reprice").exit_code == 1
    assert json.loads(run("usage", "audits", "--json").stdout) == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("status", "warned"), [(200, False), (401, True)])
def test_a_running_service_is_told_of_a_price_that_was_decided(run: Run, home: Path, status: int, warned: bool) -> None:
    api = AdminApi({"POST /api/reload": [(status, {"code": "unauthorized", "detail": "The token is wrong."})]})
    with served(api, home / "data"):
        done = run("conflicts", "pin", "acme/anvil", INPUT, "0.5")
        run("conflicts", "pin", "acme/anvil", "name", "Anvil")
    assert [request for request, _, _ in api.requests] == ["POST /api/reload"]
    assert (done.exit_code, "counts from its next start" in done.stderr) == (0, warned)
    assert "for what requests cost from now on" in done.stdout
    assert "modelscan usage reprice" in done.stdout
