"""Loading a published client reads its file, and refuses one that is not what was published."""

from pathlib import Path

import pytest

from modelscan.clients.loader import published_bytes
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import GenerationRefused
from modelscan.settings import Settings
from tests.router_app.routers import a_spec, publish


def test_a_published_client_gives_its_specification_back(settings: Settings) -> None:
    spec = a_spec("https://api.acme.example/v1")
    assert read_spec(published_bytes(settings.generation.path, publish(settings, spec))) == spec


def test_nothing_of_the_file_is_run(settings: Settings, tmp_path: Path) -> None:
    version = publish(settings, a_spec("https://api.acme.example/v1"))
    file = settings.generation.path / version.path
    file.write_text(file.read_text() + f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(GenerationRefused, match="SHA-256 differs"):
        published_bytes(settings.generation.path, version)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_gone_is_refused_with_what_to_do(settings: Settings) -> None:
    version = publish(settings, a_spec("https://api.acme.example/v1"))
    (settings.generation.path / version.path).unlink()
    with pytest.raises(GenerationRefused, match="modelscan add acme") as refused:
        published_bytes(settings.generation.path, version)
    assert refused.value.fields["provider"] == "acme"
