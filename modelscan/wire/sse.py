"""The lines of a stream, which may be split anywhere, and of these the data lines of server-sent events."""

from collections.abc import Iterator

__all__ = ["DataLines", "Lines"]

_LONGEST_LINE = 1 << 20


class Lines:
    """Puts lines together again. One without an end is thrown away before it fills the memory."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that the next bytes, as they came, bring to their end."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""
        return lines


class DataLines:
    """What server-sent events bring as their data."""

    def __init__(self) -> None:
        self._lines = Lines()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What stands after `data:` in each line that the next bytes, as they came, bring to its end."""
        for line in self._lines.feed(chunk):
            if line.startswith(b"data:"):
                yield line[5:].strip()
