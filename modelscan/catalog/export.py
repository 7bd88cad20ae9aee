"""Usage rows as a file of their own, in Parquet or CSV."""

from pathlib import Path

from modelscan.catalog.connection import Refused
from modelscan.catalog.database import Database
from modelscan.catalog.rows import query
from modelscan.catalog.stats import conditions
from modelscan.errors import InvalidInput
from modelscan.types import StatsQuery

__all__ = ["FORMATS", "export"]

FORMATS = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}


def export(database: Database, asked: StatsQuery, file: Path, *, force: bool = False) -> int:
    """Write the rows of a range, oldest first, to `file`, and return how many.

    The file is there whole or not at all. Raises InvalidInput where it exists and `force` is not given, where its name
    ends otherwise than FORMATS, and where it cannot be written.
    """
    form = FORMATS.get(file.suffix.lower())
    if form is None:
        raise InvalidInput(f"{file.name} says no format.", hint="Let its name end in .parquet or .csv.")
    if file.exists() and not force:
        raise InvalidInput(f"{file} is there already.", hint="Name another file, or give --force.")
    partial = file.with_name(f".{file.name}.partial")
    text = query("export_usage").format(
        where=" AND ".join(["true", *conditions(asked)]), form=form, file=_quoted(partial)
    )
    values: dict[str, object] = {f"is_{name}": value for name, value in asked.where.items()}
    try:
        with database.read() as connection:
            ((count,),) = connection.execute(text, {**values, "since": asked.since, "until": asked.until}).fetchall()
        partial.replace(file)
    except (Refused, OSError) as error:
        raise InvalidInput(f"{file} cannot be written: {error}", hint="Check the folder and the disk.") from error
    finally:
        partial.unlink(missing_ok=True)
    return int(count)


def _quoted(file: Path) -> str:
    return str(file.absolute()).replace("'", "''")
