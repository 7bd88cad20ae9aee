"""A source's whole list as it was answered, which the next request need not be sent again."""

from pydantic import AwareDatetime, Field

from modelscan.types.base import Frozen

__all__ = ["Listing"]


class Listing(Frozen):
    """The answer of a source that lists many providers at once, such as models.dev's `api.json`."""

    source: str
    url: str
    etag: str = ""
    """Its validators as the server wrote them; empty where it sent none."""
    last_modified: str = ""
    sha256: str
    """Of `body`."""
    answered_at: AwareDatetime
    """When the body came."""
    checked_at: AwareDatetime
    """When the server last said that this is still what it has."""
    body: bytes = Field(repr=False)

    @property
    def confirmed(self) -> bool:
        """Whether the server said so without sending it again."""
        return self.checked_at > self.answered_at
