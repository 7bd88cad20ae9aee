"""Simon Willison's llm, configured by its own file."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOME = tempfile.TemporaryDirectory()
os.environ["LLM_USER_PATH"] = HOME.name

import llm  # noqa: E402 - it reads its folder's name at once
from telling import PROMPT, Way, tell  # noqa: E402


def weather(city: str) -> str:
    """The weather of a city."""
    return "sunny"


def ways(url: str, key: str) -> Mapping[str, Way]:
    names = ["acme/echo", "claudia/echo", "smol/smollm2", "smollette/smollm2", "busy/echo", "nobody/none"]
    models = [
        {
            "model_id": f"my-{name}",
            "model_name": name,
            "api_base": f"{url}/v1",
            "api_key_name": "modelscan",  # Without a name llm sends a key of its own.
            "supports_tools": True,
        }
        for name in names
    ]
    Path(HOME.name, "extra-openai-models.yaml").write_text(json.dumps(models))

    def plain(model: str, limit: int) -> dict[str, Any]:
        done = llm.get_model(f"my-{model}").prompt(PROMPT, stream=False, key=key, max_tokens=limit)
        text, usage = done.text(), done.usage()
        return {"text": text, "usage": [usage.input, usage.output]}

    def streamed(model: str, limit: int) -> dict[str, Any]:
        done = llm.get_model(f"my-{model}").prompt(PROMPT, stream=True, key=key, max_tokens=limit)
        return {"pieces": [piece for piece in done if piece]}

    def tools(model: str, limit: int) -> dict[str, Any]:
        chain = llm.get_model(f"my-{model}").chain(PROMPT, tools=[weather], stream=False, key=key)
        said = list(chain.responses())
        calls = [(call.name, call.arguments) for one in said for call in one.tool_calls()]
        return {"calls": calls, "text": said[-1].text()}

    return {"chat": Way(plain, streamed, tools)}


tell(ways)
