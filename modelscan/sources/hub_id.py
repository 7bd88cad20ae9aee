"""The ids of models on the hubs, `organisation/name`, and where they stand in an identifier."""

import re

from modelscan.types import Identifier

__all__ = ["hub_id_of"]

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def hub_id_of(identifier: Identifier) -> str | None:
    """`organisation/name` where the asked model is named so, without a `:suffix` that chooses who runs it."""
    named = (identifier.model or "").partition(":")[0]
    return named if _HUB_ID.fullmatch(named) and ".." not in named else None
