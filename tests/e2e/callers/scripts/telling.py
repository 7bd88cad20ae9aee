"""What each script does: asks every model in every way of its client, and prints what came out, as JSON."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["PROMPT", "Way", "tell"]

PROMPT = "one two three"


class Way(NamedTuple):
    """One way in which a client asks; each function takes a model's name and how many tokens may come."""

    plain: Callable[[str, int], dict[str, Any]]
    """`text`, and `usage` where the client tells it."""
    streamed: Callable[[str, int], dict[str, Any]]
    """`pieces`, the texts as they came."""
    tools: Callable[[str, int], dict[str, Any]] | None = None
    """`calls`, each (name, arguments), and the `text` after the result `sunny` was sent back."""


def tell(ways: Callable[[str, str], Mapping[str, Way]]) -> None:
    """Standard input holds {url, key, models: {name: limit}, tools: [name], errors: [name]}."""
    asked = json.load(sys.stdin)
    told: dict[str, Any] = {}
    for name, way in ways(asked["url"], asked["key"]).items():
        for model, limit in asked["models"].items():
            told[f"{name} {model} plain"] = _tried(way.plain, model, limit)
            told[f"{name} {model} streamed"] = _tried(way.streamed, model, limit)
        for model in asked["tools"] if way.tools else ():
            told[f"{name} {model} tools"] = _tried(way.tools, model, 64)
        for model in asked["errors"]:
            told[f"{name} {model} error"] = _tried(way.plain, model, 8)
    json.dump(told, sys.stdout)


def _tried(ask: Callable[[str, int], dict[str, Any]] | None, model: str, limit: int) -> dict[str, Any]:
    assert ask is not None
    try:
        return ask(model, limit)
    except Exception as error:  # noqa: BLE001 - what it is, is told
        # A client may wrap the SDK's own error.
        causes = [error, *(one for one in (error.__cause__, error.__context__) if one)]
        status = next((found for one in causes if (found := getattr(one, "status_code", None))), None)
        where = traceback.format_exc().splitlines()[-8:]
        return {"error": type(error).__name__, "status": status, "message": str(error), "where": where}
