"""What `modelscan serve` says and leaves behind; the whole of it runs in tests/e2e."""

import socket

import pytest

from modelscan.errors import InvalidConfiguration
from modelscan.settings import Settings
from router_app import serve


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("router.example", "http://router.example:80"),
    ],
)
def test_the_address_it_gives_is_one_to_go_to(host: str, url: str) -> None:
    assert serve._url(host, 80) == url


def test_a_port_that_is_taken_is_told_with_what_to_do(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = settings.server.model_copy(update={"port": taken.getsockname()[1]})
        with pytest.raises(InvalidConfiguration, match="cannot be listened on") as refused:
            serve._listening(settings.model_copy(update={"server": server}))
    assert "MODELSCAN_SERVER_PORT" in refused.value.hint


def test_ipv6_is_listened_on(settings: Settings) -> None:
    server = settings.server.model_copy(update={"host": "::1"})
    with serve._listening(settings.model_copy(update={"server": server})) as listening:
        assert listening.family is socket.AF_INET6


@pytest.mark.parametrize(("found", "typed"), [("/usr/bin/modelscan", "  modelscan add"), (None, "bin/modelscan add")])
def test_it_prints_a_command_that_can_be_typed(
    found: str | None, typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: found)
    serve._announce("http://127.0.0.1:1")
    said = capsys.readouterr().out
    assert f"{typed} demo/echo\n" in said
    assert "curl http://127.0.0.1:1/v1/chat/completions" in said
