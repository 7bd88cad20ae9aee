"""Which models a token may use."""

from typing import Any

from modelscan.errors import ModelNotAllowed
from modelscan.globs import glob_pattern
from modelscan.types import TokenTerms

__all__ = ["Allowance"]


class Allowance:
    """The globs of a token's terms, compiled once."""

    def __init__(self, name: str, terms: TokenTerms) -> None:
        self._name = name
        self._terms = terms
        self._models = tuple(glob_pattern(glob) for glob in terms.models)
        self._providers = tuple(glob_pattern(glob) for glob in terms.providers)
        self.routing: object = None
        self.plans: dict[tuple[str, str], Any] = {}
        """Remembered by whoever routes, by name and client: what `routing`, of which they are, leaves of its plans."""
        self.bounded = bool(self._models or self._providers)
        """Whether anything is not allowed."""

    def fits(self, provider: str, model: str, asked: str = "") -> bool:
        """Whether `provider` may be asked for `model`; `asked` is the name that led there, where a rule gave it."""
        if self._providers and not any(one.fullmatch(provider) for one in self._providers):
            return False
        names = (f"{provider}/{model}", model, asked)
        return not self._models or any(one.fullmatch(name) for one in self._models for name in names if name)

    def refusal(self, asked: str) -> ModelNotAllowed:
        """The error that says what may be used instead of `asked`."""
        said = [
            f"{what} {', '.join(globs)}"
            for what, globs in (("models", self._terms.models), ("providers", self._terms.providers))
            if globs
        ]
        return ModelNotAllowed(
            f"The token {self._name} may not use the model {asked[:64]!r}.",
            hint=f"It may use the {' of the '.join(said)}. GET /v1/models lists them.",
            param="model",
            allowed={"models": list(self._terms.models), "providers": list(self._terms.providers)},
        )
