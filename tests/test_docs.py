"""The documentation names every setting, command, option, route and error."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from starlette.routing import Mount, Route

from modelscan.cli import COMMANDS
from modelscan.cli.lazy import LazyGroup
from modelscan.errors import ModelScanError
from modelscan.settings import Settings
from modelscan.settings.environment import variables
from modelscan.sources import SOURCES, Source
from router_app.app import create_app
from router_app.gate import Gate
from router_app.problems import status_of
from router_app.service import Service

ROOT = Path(__file__).resolve().parents[1]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def commands() -> Iterator[tuple[str, click.Command]]:
    for row in COMMANDS:
        command = LazyGroup.command_of(row)
        if isinstance(command, click.Group):
            yield from ((f"{row.name} {name}", child) for name, child in command.commands.items())
        else:
            yield row.name, command


@pytest.mark.parametrize(("variable", "path"), variables().items())
def test_every_setting_is_documented_with_its_default(variable: str, path: tuple[str, ...]) -> None:
    value: object = Settings()
    for name in path:
        value = getattr(value, name)
    line = next(line for line in page("settings.md").splitlines() if line.startswith(f"| `{'.'.join(path)}` |"))
    assert f"| `{variable}` |" in line
    assert (f"| `{value}` |" if value != () and str(value) else "| none |") in line


def test_every_command_is_documented_with_its_options() -> None:
    text = page("cli.md")
    for name, command in commands():
        section = re.search(rf"^## `modelscan {name}\b.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, name
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
        assert [option for option in options if option not in section[0]] == [], name


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_is_documented_with_its_confidence(source: Source) -> None:
    line = next(line for line in page("sources.md").splitlines() if line.startswith(f"| `{source.name}` |"))
    asked, counts, kept = (line.split(" | ")[number] for number in (1, 3, 4))
    assert asked
    assert counts.startswith(str(source.confidence))
    assert kept.startswith("yes" if source.cached else "no")


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [path.name for path in sorted((ROOT / "docs").glob("*.md")) if f"docs/{path.name}" not in readme] == []


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_link_to_a_file_leads_somewhere(name: str) -> None:
    page_path = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page_path.read_text())
    assert [link for link in links if not (page_path.parent / link).exists()] == []


def classes(cls: type[ModelScanError]) -> list[type[ModelScanError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in classes(child))]


@pytest.mark.parametrize("cls", classes(ModelScanError), ids=lambda cls: cls.code)
def test_every_error_is_documented_with_its_status(cls: type[ModelScanError]) -> None:
    assert f"| `{cls.code}` | {int(status_of(cls('')))} |" in page("api.md")


def routes(service: Service) -> Iterator[str]:
    """`METHOD /path` of everything that the router answers; the reference provider is a page of its own."""
    for route in create_app(service, "token").routes:
        prefix, children = (route.path, route.routes) if isinstance(route, Mount) else ("", [route])
        for child in children:
            if isinstance(child, Route) and prefix != "/reference":
                yield from (f"{method} {prefix}{child.path}" for method in (child.methods or set()) - {"HEAD"})


def test_the_documented_routes_are_those_that_there_are(settings: Settings) -> None:
    service = Service(settings, {}, gate=Gate(), notify=lambda: None)
    known = {route.replace(":path", "") for route in routes(service)}
    asyncio.run(service.close())
    headings = " ".join(line for line in page("api.md").splitlines() if line.startswith("### "))
    assert set(re.findall(r"`((?:GET|POST|PUT|DELETE) .*?)`", headings)) == known
