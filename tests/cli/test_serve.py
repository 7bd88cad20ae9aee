"""`modelscan serve`, as far as it refuses to."""

import socket

import pytest

from tests.cli.conftest import Run


def test_where_others_reach_it_a_token_must_have_been_issued(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        monkeypatch.setenv("MODELSCAN_SERVER_HOST", "0.0.0.0")
        monkeypatch.setenv("MODELSCAN_SERVER_PORT", str(taken.getsockname()[1]))
        refused, opened = run("serve"), run("serve", "--open")
        run("tokens", "issue", "app")
        with_a_token = run("serve")
    assert refused.exit_code == 1
    assert "modelscan serve --open" in refused.stderr
    # It would listen, if another program did not.
    assert "cannot be listened on" in opened.stderr
    assert "cannot be listened on" in with_a_token.stderr
