"""Which environment variable overrides which setting: `MODELSCAN_<SECTION>_<KEY>`."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from modelscan.settings.sections import Settings
from modelscan.settings.warning import ENVIRONMENT, ConfigWarning

__all__ = ["API_KEYS_PREFIX", "Override", "overrides", "variables"]

API_KEYS_PREFIX = "MODELSCAN_API_KEYS_"
"""Before a provider's id in capitals, `-` written as `_`."""
_FILE_ONLY = frozenset({("routing", "rules")})
"""What no variable could say."""


@dataclass(frozen=True, slots=True)
class Override:
    """One variable that sets something: the path of the setting, and its text (a list where the setting is one)."""

    variable: str
    path: tuple[str, ...]
    value: str | list[str]


def variables() -> dict[str, tuple[str, ...]]:
    """Every variable's setting, without those of `api_keys`, which are open."""
    return {"MODELSCAN_" + "_".join(path).upper(): path for path in _paths()}


def overrides(environ: Mapping[str, str]) -> Iterator[Override | ConfigWarning]:
    """What the environment sets, in the variables' order; an empty variable is as good as none."""
    known = variables()
    sections = [f"MODELSCAN_{name.upper()}_" for name in Settings.model_fields]
    for variable in sorted(environ):
        value = environ[variable].strip()
        if not value:
            continue
        if variable.startswith(API_KEYS_PREFIX):
            provider = variable.removeprefix(API_KEYS_PREFIX).lower().replace("_", "-")
            yield Override(variable, ("api_keys", provider), _items(value))
        elif path := known.get(variable):
            yield Override(variable, path, _items(value) if _is_list(path) else value)
        elif section := next((name for name in sections if variable.startswith(name)), None):
            yield ConfigWarning(ENVIRONMENT, None, None, variable, _unknown(variable, section, known))


def _paths() -> Iterator[tuple[str, ...]]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((name, key) for key in field.annotation.model_fields if (name, key) not in _FILE_ONLY)
        elif name != "api_keys":
            yield (name,)


def _is_list(path: tuple[str, ...]) -> bool:
    value: object = Settings()
    for name in path:
        value = getattr(value, name)
    return isinstance(value, tuple)


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _unknown(variable: str, section: str, known: Iterable[str]) -> str:
    keys = [name.removeprefix(section) for name in known if name.startswith(section)]
    nearest = difflib.get_close_matches(variable.removeprefix(section), keys, n=1)
    return "this sets nothing" + (f"; did you mean {section}{nearest[0]}?" if nearest else "")
