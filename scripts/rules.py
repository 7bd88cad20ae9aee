"""The project's own rules, beside what ruff, mypy and import-linter keep; exits with 1 where one is broken."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = ("modelscan", "flows", "tasks", "router_app")
GENERATED_MAY_IMPORT = {"openai", "anthropic", "httpx2", "pytest"}
FILE_LINES, FUNCTION_LINES = 400, 60
# Written in pieces, so that this file does not break its own rule.
HOSTS = r"py" r"pi\.org|python" r"hosted\.|registry\.npm" r"js|deb\.debi" r"an"
MACHINE_PATHS = r"(^|[^A-Za-z0-9_.])/(wo" r"rk|fa" r"rm|opt/py" r"pi|opt/wh" r"eels)(/|\b)"
TOP_LEVEL = re.compile(
    r"\..*|pyproject\.toml|prefect\.yaml|README\.md|CHANGELOG\.md|LICENSE|flows|tasks|router_app|generated|tests"
    r"|modelscan|scripts|docs|bench|requirements.*\.txt"
)


def main() -> int:
    """Check everything; 0 where nothing is wrong."""
    files = tracked_files()
    found = sorted({*top_level(files), *texts(files), *modules(files)})
    sys.stdout.write("".join(f"{line}\n" for line in found) or "Every rule is kept.\n")
    return 1 if found else 0


def tracked_files() -> list[Path]:
    """Every file that is committed or would be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [Path(name) for name in listed if (ROOT / name).is_file()]


def top_level(files: Iterable[Path]) -> Iterator[str]:
    """What the layout does not name."""
    for name in sorted({file.parts[0] for file in files}):
        if not TOP_LEVEL.fullmatch(name):
            yield f"{name}: not one of the names at the top level"


def texts(files: Iterable[Path]) -> Iterator[str]:
    """Files that name a package registry's host or a path of somebody's machine."""
    forbidden = re.compile(f"{HOSTS}|{MACHINE_PATHS}")
    for file in files:
        text = (ROOT / file).read_bytes().decode("utf-8", "ignore")
        for number, line in enumerate(text.splitlines(), 1):
            if forbidden.search(line):
                yield f"{file}:{number}: names a package registry's host or a path of one machine"


def modules(files: Iterable[Path]) -> Iterator[str]:
    """What is wrong inside Python files."""
    allowed = declared_imports()
    for file in files:
        if file.suffix != ".py" or file.match("tests/golden/*"):
            continue
        source = (ROOT / file).read_text()
        tree = ast.parse(source)
        if file.parts[0] == "generated":
            yield from imports_outside(file, tree, GENERATED_MAY_IMPORT)
            continue
        if file.parts[0] in OURS:
            yield from imports_outside(file, tree, allowed | set(OURS))
        yield from shape(file, source, tree)


def declared_imports() -> set[str]:
    """The module names that pyproject's dependencies give, those of optional features among them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entries = [*project["dependencies"], *project["optional-dependencies"]["scale"]]
    declared = {plain(re.split(r"[<>=!;\[ ]", entry, maxsplit=1)[0]) for entry in entries}
    given: Mapping[str, list[str]] = packages_distributions()
    return {name for name, owners in given.items() if declared & {plain(owner) for owner in owners}}


def plain(name: str) -> str:
    """A distribution's name in the one spelling."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constants_first(name: str) -> tuple[int, str]:
    """The other usual order: constants, classes, functions."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name


def imports_outside(file: Path, tree: ast.Module, allowed: set[str]) -> Iterator[str]:
    """Imports that are neither of the standard library nor allowed."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if not node.level else ["(relative)"]
        for name in names:
            root = name.partition(".")[0]
            if root not in sys.stdlib_module_names | allowed:
                yield f"{file}:{getattr(node, 'lineno', 0)}: imports {name}, which is not declared for it"


def shape(file: Path, source: str, tree: ast.Module) -> Iterator[str]:
    """Sizes, the opening sentence, and `__all__` in order."""
    # A test module's name and place say it: the tests mirror the tree.
    if source.strip() and not file.name.startswith("test_") and not ast.get_docstring(tree):
        yield f"{file}:1: does not open with a sentence on what it is for"
    if (lines := source.count("\n")) > FILE_LINES:
        yield f"{file}: {lines} lines, {FILE_LINES} at most"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{file}:{node.lineno}: {node.name} has {length} lines, {FUNCTION_LINES} at most"
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names = ast.literal_eval(node.value)
            if list(names) not in (sorted(names), sorted(names, key=constants_first)):
                yield f"{file}:{node.lineno}: __all__ is not sorted"


if __name__ == "__main__":
    sys.exit(main())
