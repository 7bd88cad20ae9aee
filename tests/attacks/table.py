"""How a table of attacks is written: a row names what is tried, and what must come of it."""

from typing import Any, NamedTuple

import pytest

__all__ = ["Attack", "attacks"]


class Attack(NamedTuple):
    """One hostile input."""

    name: str
    hostile: Any
    refusal: str = ""
    """Words of the refusal, where words are what refuses it."""


def attacks(*rows: Attack) -> pytest.MarkDecorator:
    """Run the test once a row; the row's name is the case's."""
    return pytest.mark.parametrize("attack", rows, ids=[row.name for row in rows])
