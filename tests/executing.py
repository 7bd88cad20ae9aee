"""A process that executes a run, to be killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from modelscan.catalog.database import Database

__all__ = ["executed_elsewhere"]

_EXECUTING = """
import sys
from pathlib import Path
from modelscan.catalog import lives
from modelscan.catalog.database import Database
with lives.executing(Database(Path(sys.argv[1])), sys.argv[2]):
    print("executing", flush=True)
    sys.stdin.read()
"""


@contextmanager
def executed_elsewhere(database: Database, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """It ends well at the end."""
    command = [sys.executable, "-c", _EXECUTING, str(database.path), run_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "executing\n"
        yield process
        process.communicate()
