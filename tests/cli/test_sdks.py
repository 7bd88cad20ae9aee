"""`modelscan sdks export`: a client taken away as a file, which then works without ModelScan."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from modelscan.reference.app import create_reference
from modelscan.reference.server import serve_in_thread
from tests.cli.conftest import Run
from tests.cli.published import publish

USE = """
import sys
assert not any("modelscan" in name for name in sys.modules)
try:
    import modelscan
except ImportError:
    from demo import Client
    with Client(base_url=sys.argv[1]) as client:
        said = client.chat.completions.create(model="echo", messages=[{"role": "user", "content": "on my own"}])
    print(said.choices[0].message.content)
"""


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, apart from the one with the data."""
    monkeypatch.setenv("MODELSCAN_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("MODELSCAN_GENERATION_PATH", str(home / "generated"))
    (folder := home / "elsewhere").mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_client_comes_into_the_current_folder_as_it_was_proved(run: Run, home: Path, here: Path) -> None:
    version = publish(home)
    done = run("sdks", "export", "demo")
    assert done.stdout == "demo, version 1, proved to level contract: demo.py\n"
    assert [file.name for file in here.iterdir()] == ["demo.py"]
    assert (here / "demo.py").read_bytes() == (home / "generated" / version.path).read_bytes()


def test_it_works_where_there_is_no_modelscan(run: Run, home: Path, here: Path) -> None:
    publish(home)
    assert run("sdks", "export", "demo").exit_code == 0
    (here / "use.py").write_text(USE)
    found = find_spec("openai")
    assert found is not None
    assert found.origin is not None
    packages = Path(found.origin).parents[1]
    # Without the .pth files of `site`, an editable ModelScan cannot be imported.
    code = f"import sys; sys.path[:0] = [{str(here)!r}, {str(packages)!r}]; exec(open('use.py').read())"
    with serve_in_thread(create_reference(models=("echo",))) as origin:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, f"{origin}/v1"],
            capture_output=True,
            text=True,
            check=False,
            cwd=here,
            env={"PATH": os.environ["PATH"]},
        )
    assert (done.stdout, done.stderr) == ("on my own\n", "")


def test_its_test_comes_beside_it_and_is_the_one_that_was_published(run: Run, home: Path, here: Path) -> None:
    publish(home)
    shown = json.loads(run("sdks", "export", "demo", "--with-test", "--output", str(here), "--json").stdout)
    assert shown["files"] == [str(here / "demo.py"), str(here / "test_demo.py")]
    assert (here / "test_demo.py").read_bytes() == (home / "generated" / "test_demo.py").read_bytes()


def test_a_dash_is_the_standard_output(run: Run, home: Path, here: Path) -> None:
    version = publish(home)
    assert run("sdks", "export", "demo", "-o", "-").stdout == (home / "generated" / version.path).read_text()
    assert run("sdks", "export", "demo", "-o", "-", "--with-test").exit_code == 1
    assert list(here.iterdir()) == []


def test_nothing_is_overwritten_unless_told_so(run: Run, home: Path, here: Path) -> None:
    publish(home)
    (here / "test_demo.py").write_text("mine")
    done = run("sdks", "export", "demo", "--with-test")
    assert (done.exit_code, (here / "demo.py").exists()) == (1, False)
    assert "--force" in done.stderr
    assert run("sdks", "export", "demo", "--with-test", "--force").exit_code == 0
    assert (here / "test_demo.py").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo", "--output", "nowhere/demo.py"), "No such file"),
        (("demo", "--output", "mine.py", "--with-test"), "would be called mine.py"),
        (("demp",), "Did you mean demo?"),
        (("other",), "modelscan add other"),
    ],
)
def test_what_cannot_be_exported_is_said(
    run: Run, home: Path, here: Path, arguments: tuple[str, ...], said: str
) -> None:
    publish(home)
    done = run("sdks", "export", *arguments)
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())
    assert list(here.iterdir()) == []


def test_without_a_catalogue_there_is_nothing_to_export(run: Run, home: Path, here: Path) -> None:
    assert run("sdks", "export", "demo").exit_code == 1


def test_a_client_that_was_changed_since_comes_as_it_was_proved(run: Run, home: Path, here: Path) -> None:
    published = home / "generated" / publish(home).path
    proved = published.read_text()
    published.write_text(proved + "import os\n")
    assert run("sdks", "export", "demo").exit_code == 0
    assert (here / "demo.py").read_text() == proved


def test_a_client_that_was_changed_since_and_is_not_kept_is_refused(run: Run, home: Path, here: Path) -> None:
    published = home / "generated" / publish(home, keep=False).path
    published.write_text(published.read_text() + "import os\n")
    done = run("sdks", "export", "demo")
    assert (done.exit_code, list(here.iterdir())) == (1, [])
    assert "SHA-256 differs" in " ".join(done.stderr.split())
