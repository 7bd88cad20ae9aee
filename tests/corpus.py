"""The recorded material beside the checkout; a test that reads it skips where it is absent."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

__all__ = ["corpus_file", "corpus_json", "corpus_names"]

CORPUS = Path(os.environ.get("MODELSCAN_CORPUS") or Path(__file__).parents[2] / "shared" / "data")


def corpus_file(name: str) -> Path:
    """A file of the corpus, such as `hf/router_v1_models_item.json`."""
    file = CORPUS / name
    if not file.exists():
        pytest.skip(f"no corpus: MODELSCAN_CORPUS names no folder with {name}")
    return file


def corpus_json(name: str) -> Any:
    """What a JSON file of the corpus holds."""
    return json.loads(corpus_file(name).read_bytes())


def corpus_names(pattern: str) -> list[str]:
    """The files of a pattern such as `hf/*.json`, for tables of tests; none where there is no corpus."""
    return sorted(str(file.relative_to(CORPUS)) for file in CORPUS.glob(pattern))
