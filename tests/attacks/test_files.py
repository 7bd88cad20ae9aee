"""A generated file that lies, leads elsewhere or was changed after its proof is neither served nor written through."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelscan.clients.loader import published_bytes
from modelscan.codegen.gate import check
from modelscan.codegen.publish import publish_files
from modelscan.codegen.render import render_client, render_test
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import GenerationRefused
from modelscan.settings import Settings
from modelscan.types import SdkVersion
from tests.attacks.table import Attack, attacks
from tests.codegen.golden import RECORDS, SPECS
from tests.router_app.routers import a_spec, publish

SPEC = SPECS[0]
SOURCE = render_client(SPEC, RECORDS)
OTHER = "https://evil.example/v1"


def changed(old: str, new: str) -> str:
    assert old in SOURCE
    return SOURCE.replace(old, new, 1)


LIES = (
    Attack("another address", changed(SPEC.base_url, OTHER), "digest that it states"),
    Attack("another header", changed('"header": "Authorization"', '"header": "X-Key"'), "digest"),
    Attack("another variable for the key", changed("ACME_API_KEY", "OPENAI_API_KEY"), "digest"),
    Attack("another digest", changed(f'"digest": "{SPEC.digest}"', f'"digest": "{"0" * 64}"'), "digest"),
    Attack("a second SPEC", SOURCE + f"\nSPEC = {{'base_url': {OTHER!r}}}\n", "more than once"),
    Attack("a second SPEC with a type", SOURCE + f"\nSPEC: dict = {{'base_url': {OTHER!r}}}\n", "more than once"),
    Attack("a second SPEC in a tuple", SOURCE + "\n(SPEC, key) = ({}, 1)\n", "more than once"),
    Attack("a SPEC taken away", SOURCE + "\ndel SPEC\n", "more than once"),
    Attack(
        "a SPEC that is worked out",
        changed("SPEC: dict[str, Any] = {", "SPEC: dict[str, Any] = {**os.environ, "),
        "read",
    ),
    Attack("a SPEC that is a list", "SPEC: list = []\n", "has no SPEC"),
    Attack("no SPEC", "import os\n", "has no SPEC"),
    Attack("no Python", "SPEC: dict = {", "cannot be read"),
    Attack("null bytes", "SPEC: dict = {}\0", "cannot be read"),
    Attack("brackets without end", "SPEC: dict = " + "[" * 100_000, "cannot be read"),
    Attack("minus signs without end", "SPEC: dict = " + "-" * 100_000 + "1", "cannot be read"),
    Attack("an open port", SOURCE + "\nimport socket\n", "import of socket"),
    Attack("a variable read", SOURCE + "\nkey = os.environ\nopen(key)\n", "Expr at module level|the name open"),
    Attack("a changed SPEC", SOURCE + "\nSPEC.update(base_url=1)\n", "Expr at module level"),
    Attack("a changed SPEC by item", SOURCE + f"\nSPEC['base_url'] = {OTHER!r}\n", "the SPEC is changed"),
)


@attacks(*LIES)
def test_a_module_that_lies_does_not_pass_the_gate(attack: Attack) -> None:
    with pytest.raises(GenerationRefused, match=attack.refusal):
        check(attack.hostile, SPEC)


Change = Callable[[Path, Path], object]
"""(the client's file, a file outside the folder) -> whatever; it changes the first."""


def link(file: Path, outside: Path) -> None:
    file.rename(outside)
    file.symlink_to(outside)


def pipe(file: Path, outside: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path, outside: Path) -> None:
    file.unlink()
    file.mkdir()


def endless(file: Path, outside: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def huge(file: Path, outside: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(2**40)


CHANGES = (
    Attack("edited by a byte", lambda file, _: file.write_bytes(file.read_bytes() + b"\n"), "SHA-256 differs"),
    Attack("emptied", lambda file, _: file.write_bytes(b""), "SHA-256 differs"),
    Attack("with another provider's client", lambda file, _: file.write_text(SOURCE), "SHA-256 differs"),
    Attack("gone", lambda file, _: file.unlink(), "cannot be read"),
    Attack("a link to the same bytes", link, "cannot be read"),
    Attack("a link to an endless file", endless, "cannot be read"),
    Attack("a pipe that nobody writes", pipe, "cannot be read"),
    Attack("a folder", folder, "cannot be read"),
    Attack("a terabyte of nothing", huge, "cannot be read"),
)


def served(settings: Settings) -> SdkVersion:
    return publish(settings, a_spec("https://api.acme.example/v1"))


@attacks(*CHANGES)
def test_a_file_that_was_changed_after_it_was_proved_is_not_served(
    attack: Attack, settings: Settings, tmp_path: Path
) -> None:
    version = served(settings)
    attack.hostile(settings.generation.path / version.path, tmp_path / "outside.py")
    with pytest.raises(GenerationRefused, match=attack.refusal):
        published_bytes(settings.generation.path, version)


def beside(name: str) -> Change:
    def lay(file: Path, outside: Path) -> None:
        outside.write_text("kept")
        (file.parent / name).symlink_to(outside)

    return lay


def own(file: Path, outside: Path) -> None:
    file.write_text("print('mine')")


def directory(file: Path, outside: Path) -> None:
    file.mkdir()


TRAPS = (
    Attack("a link as the client", beside("acme.py"), "is a link"),
    Attack("a folder as the client", directory, "no plain file"),
    Attack("a pipe as the client", lambda file, _: os.mkfifo(file), "no plain file"),
    Attack("a person's own file", own, "no generated client"),
)


@attacks(*TRAPS)
def test_what_is_in_the_way_is_not_overwritten_nor_written_through(attack: Attack, tmp_path: Path) -> None:
    generated, outside = tmp_path / "generated", tmp_path / "outside"
    generated.mkdir()
    attack.hostile(generated / "acme.py", outside)
    with pytest.raises(GenerationRefused, match=attack.refusal):
        publish_files(generated, SPEC, SOURCE, render_test(SPEC))
    assert not outside.exists() or outside.read_text() == "kept"
    assert [path.name for path in generated.iterdir()] == ["acme.py"]


@attacks(
    Attack("as the test", "test_acme.py"),
    Attack("as the file that is being written", f".acme.py.{os.getpid()}.new"),
)
def test_a_link_beside_the_client_is_replaced_and_not_followed(attack: Attack, tmp_path: Path) -> None:
    generated, outside = tmp_path / "generated", tmp_path / "outside"
    generated.mkdir()
    beside(attack.hostile)(generated / "acme.py", outside)
    publish_files(generated, SPEC, SOURCE, render_test(SPEC))
    assert outside.read_text() == "kept"
    assert read_spec((generated / "acme.py").read_bytes()) == SPEC
    assert sorted(path.name for path in generated.iterdir()) == ["acme.py", "test_acme.py"]
