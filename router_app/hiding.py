"""Keeps the upstream key from the caller: a provider that quotes it in an answer quotes it to us alone."""

from collections.abc import Sequence

from modelscan.redaction import REDACTED

__all__ = ["HIDDEN", "Headers", "Hiding"]

HIDDEN = REDACTED.encode()
Headers = Sequence[tuple[bytes, bytes]]
_LEAST = 8
"""Bytes; a shorter key, such as the `none` of a local server, would take ordinary words out of answers."""


class Hiding:
    """Takes one secret out of an answer, wherever its chunks are cut. Without a secret all passes as it is."""

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = secret if len(secret) >= _LEAST else b""
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """What of this chunk can go on; the beginning of what may become the secret waits for the next one."""
        if not self._secret:
            return chunk
        data = (self._rest + chunk).replace(self._secret, HIDDEN)
        kept = self._begun(data)
        self._rest = data[len(data) - kept :]
        return data[: len(data) - kept]

    def whole(self, body: bytes) -> bytes:
        """The whole of an answer that comes as one."""
        return body.replace(self._secret, HIDDEN) if self._secret else body

    def end(self) -> bytes:
        """What waited, and was no secret."""
        rest, self._rest = self._rest, b""
        return rest

    def headers(self, headers: Headers) -> Headers:
        """Those in whose value the secret does not stand."""
        if not self._secret or self._secret not in b"\n".join([value for _, value in headers]):
            return headers
        return [header for header in headers if self._secret not in header[1]]

    def _begun(self, data: bytes) -> int:
        """How many bytes at the end of `data` are a beginning of the secret."""
        start = max(0, len(data) - len(self._secret) + 1)
        while (start := data.find(self._secret[:1], start)) >= 0:
            if self._secret.startswith(data[start:]):
                return len(data) - start
            start += 1
        return 0
