"""The tokens of one request, as its provider told them."""

from typing import NamedTuple

__all__ = ["Media", "Usage"]

_MOST_TOKENS = 10**9


class Media(NamedTuple):
    """Tokens of sound and pictures: parts of the prompt and of the completion."""

    input_audio: int = 0
    output_audio: int = 0
    input_image: int = 0
    output_image: int = 0

    def believable(self) -> "Media":
        """With counts that can be stored: one beyond belief stays more than its whole, so there is no cost."""
        return Media(*(min(count, _MOST_TOKENS) for count in self))


class Usage(NamedTuple):
    """Numbers of tokens; None where the provider does not say."""

    prompt: int | None = None
    """All of the request, what was read from a cache and written to it included."""
    completion: int | None = None
    """All of the answer, thoughts included."""
    cached: int | None = None
    """Of the prompt: read from a cache."""
    cache_write: int | None = None
    """Of the prompt: written to a cache."""
    reasoning: int | None = None
    """Of the completion: thoughts."""
    media: Media | None = None
    """Of both: sound and pictures, where the provider tells of any."""

    def believable(self) -> "Usage":
        """Without counts that no request can have, and without parts that are more than their whole.

        A provider that claims 2**63 would keep all later usage out of the catalogue.
        """
        prompt, completion, cached, cache_write, reasoning, media = self
        if prompt is not None and prompt >= _MOST_TOKENS:
            prompt = None
        if completion is not None and completion >= _MOST_TOKENS:
            completion = None
        if cached is not None or cache_write is not None:
            cached = _part(cached, prompt)
            cache_write = _part(cache_write, None if prompt is None else prompt - (cached or 0))
        if media is not None:
            media = media.believable()
        return Usage(prompt, completion, cached, cache_write, _part(reasoning, completion), media)


def _part(count: int | None, whole: int | None) -> int | None:
    return count if count is None or (whole is not None and count <= whole) else None
