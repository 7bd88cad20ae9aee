"""Where the router may listen without a token."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from modelscan.catalog import tokens as table
from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration
from modelscan.settings import Settings
from modelscan.tokens import store
from modelscan.types import utc_now
from router_app.opening import refuse_to_be_open
from router_app.serve import run
from tests.catalogues import migrate

CUSTODY = Custody(SecretStr("master"))


def listening(settings: Settings, host: str, **more: object) -> Settings:
    return settings.model_copy(update={"server": settings.server.model_copy(update={"host": host, **more})})


def test_on_this_machine_alone_it_may(settings: Settings) -> None:
    refuse_to_be_open(listening(settings, "127.0.0.1"))
    assert not settings.database_path.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.0.2.1"])
def test_elsewhere_it_may_not_and_the_error_says_what_to_do(settings: Settings, host: str) -> None:
    with pytest.raises(InvalidConfiguration, match=host or "all addresses") as refused:
        refuse_to_be_open(listening(settings, host))
    for words in ("modelscan tokens issue NAME", "server.host", "modelscan serve --open"):
        assert words in refused.value.hint
    refuse_to_be_open(listening(settings, host, open=True))


def test_the_service_does_not_start_there(settings: Settings) -> None:
    with pytest.raises(InvalidConfiguration, match="whoever finds it could use every model"):
        run(listening(settings, "0.0.0.0"))
    assert not (settings.data_dir / "router.url").exists()


def test_with_a_token_it_may_also_once_that_one_has_ended(settings: Settings) -> None:
    database = Database(settings.database_path)
    migrate(database)
    everywhere = listening(settings, "0.0.0.0")
    store.issue(database, CUSTODY, "ops", role="admin")
    with pytest.raises(InvalidConfiguration):
        refuse_to_be_open(everywhere)
    store.issue(database, CUSTODY, "app", expires_at=utc_now() + timedelta(hours=1))
    table.revoke(database, "app")
    refuse_to_be_open(everywhere)
