"""The lines of a stream, which may be split anywhere, and of these the data lines of server-sent events."""

from collections.abc import Iterator

__all__ = ["LONGEST_EVENT", "DataLines", "Lines", "TooLong", "data_in"]

LONGEST_EVENT = 32 << 20
"""Bytes; a picture may be part of one, in base64."""
_LONGEST_BESIDE = 1 << 20
"""Where only the usage is looked for, which is short."""


class TooLong(ValueError):
    """A line beyond all measure."""


class Lines:
    """Puts lines together again. One that is too long is thrown away before it fills the memory."""

    def __init__(self, longest: int = _LONGEST_BESIDE) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._skipping = False
        self.lost = False
        """Whether one was thrown away."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that the next bytes, as they came, bring to their end."""
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            del lines[: self._skipping]
            self._rest, self._skipping = bytearray(), False
        if not self._skipping:
            self._rest += rest
            if len(self._rest) > self._longest:
                self._rest, self._skipping, self.lost = bytearray(), True, True
        return lines


def data_in(line: bytes) -> bytes | None:
    """What a line brings as data; some send an object a line, without `data:`."""
    if line.startswith(b"data:"):
        return line[5:].strip()
    return line.strip() if line.startswith(b"{") else None


class DataLines:
    """What server-sent events bring as their data."""

    def __init__(self, longest: int = _LONGEST_BESIDE) -> None:
        self._lines = Lines(longest)

    @property
    def lost(self) -> bool:
        """Whether a line was thrown away."""
        return self._lines.lost

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The data of each line that the next bytes, as they came, bring to its end."""
        for line in self._lines.feed(chunk):
            if (data := data_in(line)) is not None:
                yield data
