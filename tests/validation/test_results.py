"""The pipe of a sandboxed run, read without a process behind it."""

import os
from pathlib import Path

from modelscan.validation.results import Results


def test_what_comes_after_the_end_of_its_time_is_not_counted(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as pipe:
        results = Results(pipe, ())
        results.follow(0.01)
        os.write(writing, b'{"test": "test_late", "outcome": "passed", "detail": "", "status": null, "seconds": 1}\n')
        os.close(writing)
        results.drain()
        seen = results.run(tmp_path, seconds=1)
    assert (seen.problem, seen.outcomes) == ("timed out after 0.01 s", {})
