"""What a transaction on the catalogue is spoken to with, whichever process DuckDB is in."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

__all__ = ["Connection", "ConstraintBroken", "FileFault", "Refused", "Rows", "TableMissing", "refused"]


class Rows(NamedTuple):
    """What a statement said: the columns' names, and each row's values."""

    names: tuple[str, ...]
    values: list[tuple[Any, ...]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        return self.values

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row; None where there is none."""
        return self.values[0] if self.values else None


class Connection(Protocol):
    """Runs statements."""

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Rows:
        """Run one with its bound parameters; raises Refused."""
        ...


class Refused(Exception):
    """DuckDB refused a statement, or the file."""

    kind: ClassVar[str] = "Error"
    """DuckDB's name for it."""


class FileFault(Refused):
    """A file cannot be read, written or locked."""

    kind = "IOException"


class ConstraintBroken(Refused):
    """A row that a table does not take."""

    kind = "ConstraintException"


class TableMissing(Refused):
    """A table, or another thing of the catalogue, that is not there."""

    kind = "CatalogException"


def refused(kind: str, message: str) -> Refused:
    """The error of DuckDB's class `kind`."""
    known = (FileFault, ConstraintBroken, TableMissing)
    return next((one for one in known if one.kind == kind), Refused)(message)
