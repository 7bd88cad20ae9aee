"""What is wrong with one value of the configuration, said so that a person finds it."""

from dataclasses import dataclass

__all__ = ["ConfigWarning", "ENVIRONMENT"]

ENVIRONMENT = "environment"
"""The `file` of a warning about an environment variable."""


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """Where something was wrong and what happened instead; never holds the value itself, which may be a secret."""

    file: str
    """The file's path as it was given, or `environment`."""
    line: int | None
    """From 1; None for the environment."""
    column: int | None
    key: str
    """`section.key`, the variable's name, or empty where no key could be made out."""
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        return ": ".join(part for part in (where, self.key, self.message) if part)
