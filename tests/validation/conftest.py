"""One warm sandbox for all validation tests."""

import os
from collections.abc import Iterator

import pytest

from modelscan.validation.sandbox import INHERITED, Sandbox

MEASURED = (*INHERITED, "COVERAGE_PROCESS_CONFIG")
"""What the zygote inherits here: also what has coverage measure it."""


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(environ={**os.environ, "OPENAI_API_KEY": "leak"}, inherit=MEASURED) as warm:
        yield warm
