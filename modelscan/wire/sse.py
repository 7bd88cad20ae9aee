"""The data lines of a stream of server-sent events, which may be split anywhere."""

from collections.abc import Iterator

__all__ = ["DataLines"]

_LONGEST_LINE = 1 << 20


class DataLines:
    """Puts lines together again. One without an end is thrown away before it fills the memory."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What stands after `data:` in each line that the next bytes, as they came, bring to its end."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
