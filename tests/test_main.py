"""`python -m modelscan`."""

import subprocess
import sys

from modelscan import __version__


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "modelscan", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"modelscan, version {__version__}\n"
    assert done.stderr == ""
