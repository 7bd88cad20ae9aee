"""A form with files as it came: the field that names the model is found and changed, and no other byte."""

from typing import NamedTuple

from modelscan.errors import InvalidInput

__all__ = ["Form", "is_form"]

_LONGEST_NAME = 512
_LONGEST_HEAD = 8192
"""Bytes of the headers of one field."""


def is_form(content_type: bytes) -> bool:
    """Whether a body of that type is a form with files."""
    return content_type.lower().startswith(b"multipart/form-data")


class Form(NamedTuple):
    """The body, and where its model's name stands."""

    body: bytes
    start: int
    end: int

    @classmethod
    def read(cls, body: bytes, content_type: bytes) -> "Form":
        """Raises InvalidInput where it has no boundary, or not exactly one field that names a model."""
        boundary = _parameter(content_type, b"boundary")
        if not boundary:
            raise InvalidInput("The form has no boundary.", hint="Let an HTTP library write the content-type header.")
        places = _fields(body, b"--" + boundary)
        if len(places) != 1:
            raise InvalidInput(
                "The form names no model." if not places else "The form names more than one model.",
                hint="Send one field `model`; GET /v1/models lists what is served.",
            )
        return cls(body, *places[0])

    @property
    def model(self) -> str:
        return self.body[self.start : self.end].decode("utf-8", "replace")

    def with_model(self, name: str) -> bytes:
        """The same bytes, but for the model's name."""
        return self.body[: self.start] + name.encode() + self.body[self.end :]


def _fields(body: bytes, mark: bytes) -> list[tuple[int, int]]:
    """Where the contents of each field `model` begin and end."""
    found, at = [], body.find(mark)
    while at >= 0:
        head = at + len(mark) + 2
        after = body.find(b"\r\n" + mark, head)
        start = body.find(b"\r\n\r\n", head - 2, after if after >= 0 else None)
        if start < 0 or after < 0:
            break
        if start - head <= _LONGEST_HEAD and _is_model(body[head:start]) and after - start - 4 <= _LONGEST_NAME:
            found.append((start + 4, after))
        at = after + 2
    return found


def _is_model(head: bytes) -> bool:
    """Whether these headers are those of the field `model`."""
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    value = next((value for name, _, value in lines if name.strip().lower() == b"content-disposition"), b"")
    return _parameter(value, b"name") == b"model"


def _parameter(value: bytes, name: bytes) -> bytes:
    """A parameter of a header's value; empty where there is none."""
    pieces = (piece.partition(b"=") for piece in value.split(b";")[1:])
    return next((told.strip().strip(b'"') for key, _, told in pieces if key.strip().lower() == name), b"")
