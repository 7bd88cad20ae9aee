"""The scripts, as far as they can be tried without a registry."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("setup", "serve", "test", "check", "pin", "peer")


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rules", ROOT / "scripts" / "rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", [*(f"scripts/{name}" for name in SCRIPTS), ".ci/run"])
def test_every_script_may_be_run_and_parses(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = path.read_text().splitlines()[0].removeprefix("#!").split()[-1]
    subprocess.run([shell, "-n", str(path)], check=True)


def machine(folder: Path, **pythons: str) -> dict[str, str]:
    """A PATH with nothing but the bare tools and these `python…` commands, and the checkout's setup script."""
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", folder / "scripts")
    tools = folder / "bin"
    tools.mkdir()
    for name in ("dirname", "cat", "rm", "sh"):
        (tools / name).symlink_to(str(shutil.which(name)))
    for name, script in pythons.items():
        (tools / name.replace("_", ".")).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name.replace("_", ".")).chmod(0o755)
    return {"PATH": str(tools)}


def setup(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(folder / "bin" / "sh"), str(folder / "scripts" / "setup")]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_without_a_usable_python_setup_says_which_is_needed(tmp_path: Path) -> None:
    done = setup(tmp_path, machine(tmp_path, python3="exit 127", python3_12="exit 1"))
    assert done.returncode == 1
    assert "needs Python 3.11 or later" in done.stderr


def test_setup_passes_over_a_python_that_does_not_run(tmp_path: Path) -> None:
    """Then it makes the environment with the one that does; there the test's stand-in stops it."""
    works = f'if [ "$1" = -m ]; then echo "made with $0"; exit 3; fi; exec {sys.executable} "$@"'
    done = setup(tmp_path, machine(tmp_path, python3="exit 127", python3_12=works))
    assert done.returncode == 3
    assert "made with" in done.stdout
    assert "python3.12" in done.stdout


def test_setup_does_nothing_where_nothing_changed(tmp_path: Path) -> None:
    env = machine(tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "scripts" / "requirements.txt").touch()
    script = (tmp_path / "scripts" / "setup").read_text()
    code = script.partition("python -c '")[2].partition("'")[0]
    stamp = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / ".venv" / "modelscan-setup").write_text(stamp)
    done = setup(tmp_path, env)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_pinned_requirements_name_no_host_and_no_path() -> None:
    lines = (ROOT / "scripts" / "requirements.txt").read_text().splitlines()
    wrong = [line for line in lines if not line.startswith(("    --hash=sha256:", "#")) and "==" not in line]
    assert wrong == []
    assert not any(mark in line for line in lines for mark in ("://", "--index", "--find", "@ "))


def test_extras_that_one_package_asks_of_another_are_pinned_with_it() -> None:
    """Else pip refuses all where hashes are asked for; uv would not."""
    pinned: dict[str, set[str]] = {}
    for line in (ROOT / "scripts" / "requirements.txt").read_text().splitlines():
        if found := re.match(r"([\w.-]+)(?:\[(.*?)\])?==", line):
            pinned[normalized(found[1])] = set(filter(None, (found[2] or "").split(",")))
    asked = [
        (normalized(found[1]), set(found[2].split(",")))
        for name in pinned
        for said in requires_of(name)
        if (found := re.match(r"([\w.-]+)\[(.*?)\]", said)) and "extra ==" not in said
    ]
    assert ("coverage", {"toml"}) in asked
    assert [(name, extras) for name, extras in asked if not extras <= pinned[name]] == []


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requires_of(name: str) -> list[str]:
    """What the installed package asks for; nothing of one that is not for this system."""
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.requires(name) or []
    return []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('"""Fine."""\n', False),
        ("", False),
        ("import os\n", True),
        ('"""Long."""\n' + "\n" * 400, True),
        ('"""Long."""\n\n\ndef f():\n' + "    pass\n" * 60, True),
        ('"""Fine."""\n__all__ = ["A", "b"]\n', False),
        ('"""Fine."""\n__all__ = ["LIMIT", "Class", "function"]\n', False),
        ('"""Not sorted."""\n__all__ = ["b", "a"]\n', True),
    ],
)
def test_the_rules_on_a_files_shape(rules: ModuleType, text: str, wrong: bool) -> None:
    found = list(rules.shape(Path("x.py"), text, rules.ast.parse(text)))
    assert bool(found) is wrong, found


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("import json", False),
        ("import openai", False),
        ("from modelscan import types", True),
        ("from . import x", True),
    ],
)
def test_generated_modules_import_only_the_sdk(rules: ModuleType, source: str, wrong: bool) -> None:
    found = list(rules.imports_outside(Path("x.py"), rules.ast.parse(source), rules.GENERATED_MAY_IMPORT))
    assert bool(found) is wrong


def test_what_is_declared_is_what_may_be_imported(rules: ModuleType) -> None:
    declared = rules.declared_imports()
    assert {"click", "duckdb", "httpx2", "yaml", "pydantic"} <= declared
    assert not {"certifi", "requests", "hypothesis"} & declared


def test_names_at_the_top_level_are_a_closed_list(rules: ModuleType) -> None:
    files = [Path("README.md"), Path(".ci/run"), Path("utils/x.py"), Path("PLAN.md")]
    assert len(list(rules.top_level(files))) == 2


def test_hosts_and_paths_of_one_machine_are_found(
    rules: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    (tmp_path / "bad.txt").write_text(f"a\nsee {'py' + 'pi'}.org\ncd /{'work'}/main\n")
    (tmp_path / "good.txt").write_text("a/work/b ./work\n")
    assert len(list(rules.texts([Path("bad.txt"), Path("good.txt")]))) == 2
