"""Small charts of plain characters, for the terminal."""

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["bar", "sparkline"]

_BARS = "▏▎▍▌▋▊▉█"
_STEPS = "▁▂▃▄▅▆▇█"


def bar(value: float, largest: float, width: int = 12) -> str:
    """A bar whose length is to `width` as `value` is to `largest`; what is not nothing is seen."""
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, round(min(value / largest, 1.0) * width * 8))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_BARS[rest - 1] if rest else "")


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """A line of at most `width` columns, each as high as the largest of its share of the values."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [place * len(values) // count for place in range(count + 1)]
    shares = [max(values[start:end]) for start, end in pairwise(edges)]
    largest = max(shares)
    return "".join(_STEPS[0 if largest <= 0 else round(max(one, 0) / largest * (len(_STEPS) - 1))] for one in shares)
