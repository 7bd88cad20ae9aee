"""instructor: an answer as a typed object, by a tool and by a JSON schema."""

from collections.abc import Mapping
from typing import Any

import instructor
import openai
from pydantic import BaseModel
from telling import PROMPT, Way, tell


class Weather(BaseModel):
    """The weather of a city."""

    city: str


def way(url: str, key: str, mode: instructor.Mode) -> Way:
    client = instructor.from_openai(openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0), mode=mode)
    user: Any = {"role": "user", "content": PROMPT}

    def plain(model: str, limit: int) -> dict[str, Any]:
        done = client.chat.completions.create(
            model=model, messages=[user], response_model=None, max_tokens=limit, max_retries=0
        )
        return {
            "text": done.choices[0].message.content,
            "usage": [done.usage.prompt_tokens, done.usage.completion_tokens],
        }

    def streamed(model: str, limit: int) -> dict[str, Any]:
        chunks = client.chat.completions.create(
            model=model, messages=[user], response_model=None, max_tokens=limit, max_retries=0, stream=True
        )
        return {"pieces": [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]}

    def tools(model: str, limit: int) -> dict[str, Any]:
        found = client.chat.completions.create(
            model=model, messages=[user], response_model=Weather, max_tokens=limit, max_retries=0
        )
        parts = client.chat.completions.create_partial(
            model=model, messages=[user], response_model=Weather, max_tokens=limit, max_retries=0
        )
        *_, last = parts
        assert last.city == found.city
        return {"calls": [("weather", found.model_dump())], "text": "sunny"}

    return Way(plain, streamed, tools)


def ways(url: str, key: str) -> Mapping[str, Way]:
    return {
        "by tool": way(url, key, instructor.Mode.TOOLS),
        "by schema": way(url, key, instructor.Mode.JSON_SCHEMA),
    }


tell(ways)
