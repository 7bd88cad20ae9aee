"""What the runner's warm process holds, tried in a process of its own: this one has threads."""

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.service import CHECKOUT


def test_it_is_warm_without_a_thread_and_each_child_has_its_own_side(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tasks.running.warm_home"],
        cwd=CHECKOUT,
        env={**os.environ, "MODELSCAN_DATA_DIR": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
