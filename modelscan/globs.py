"""Globs of names: `*` is any text, `?` one character."""

import re

__all__ = ["glob_pattern"]


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Matches what `glob` means, each `*` the shortest that fits. No text can make it slow: it never goes back."""
    first, *more = (re.escape(part).replace(r"\?", ".") for part in glob.split("*"))
    if not more:
        return re.compile(first, re.DOTALL)
    *middle, last = more
    return re.compile(first + "".join(f"(?>(.*?){part})" for part in middle) + f"(.*){last}", re.DOTALL)
