"""Foreign text for people to read: on one line, and with what would steer a terminal or a reader made visible."""

__all__ = ["visible"]


def visible(text: str, most: int | None = None) -> str:
    r"""`text` with its escapes spelt out: `\x1b` for what colours a terminal, `\u202e` for what turns a line around.

    Each run of white space is one space. Past `most` characters it is cut, and ends with `…`.
    """
    line = " ".join(text.split())
    shown = line if line.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)
    return shown if most is None or len(shown) <= most else f"{shown[: most - 1]}…"
