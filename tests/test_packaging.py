"""The wheel: built without a network, with everything that the program reads at run time, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from modelscan import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flows", "modelscan", "router_app", "tasks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_packages_is_in_the_wheel(names: set[str]) -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES]
    files = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    missing = {name for name in files if (ROOT / name).is_file()} - names
    assert missing == set()
    assert {Path(name).suffix for name in files} >= {".py", ".sql", ".jinja"}


def test_nothing_else_is_in_the_wheel(names: set[str]) -> None:
    roots = {name.partition("/")[0] for name in names}
    assert roots == {*PACKAGES, f"modelscan-{__version__}.dist-info"}


def test_the_command_is_declared(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        points = archive.read(f"modelscan-{__version__}.dist-info/entry_points.txt").decode()
    assert "modelscan = modelscan.cli:main" in points


def test_the_wheel_runs_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = f"""
import runpy, sys
sys.path.insert(0, {str(tmp_path / "installed")!r})
sys.argv = ["modelscan", "--version"]
import modelscan
assert "installed" in modelscan.__file__
runpy.run_module("modelscan", run_name="__main__")
"""
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert told.stdout == f"modelscan, version {__version__}\n"


def test_the_module_runs_as_the_command_does() -> None:
    command = [sys.executable, "-m", "modelscan", "--version"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1] == __version__
