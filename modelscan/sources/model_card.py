"""A model card's front matter: a few short fields of a text that anybody may write."""

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from modelscan.sources.yaml_text import NotRead, front_matter, read_yaml

__all__ = ["MAX_CARD_BYTES", "card_of"]

MAX_CARD_BYTES = 2**20
_MAX_FRONT = 64 * 2**10
_MAX_NODES = 5_000
_MAX_TEXT = 200
_MAX_ITEMS = 50
_TextOrList = str | list[str]


class Card(BaseModel):
    """What is read of it; its text, its prompts and its widgets are not."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    license: _TextOrList | None = None
    language: _TextOrList | None = None
    library_name: str | None = None
    pipeline_tag: str | None = None
    base_model: _TextOrList | None = None
    tags: list[str] | None = None


def card_of(body: bytes) -> tuple[dict[str, JsonValue], str]:
    """(the fields that can be read, what is wrong with it or nothing). Without a front matter both are empty."""
    front = front_matter(body[:MAX_CARD_BYTES].decode("utf-8", "replace"))
    if front is None:
        return {}, ""
    try:
        if len(front) > _MAX_FRONT:
            raise NotRead(f"it has more than {_MAX_FRONT} characters")
        found = read_yaml(front, nodes=_MAX_NODES)
        if not isinstance(found, dict):
            raise NotRead("it holds no fields")
    except NotRead as error:
        return {}, f"the front matter of its model card is not taken: {error}"
    return _fields(found)


def _fields(found: dict[str, JsonValue]) -> tuple[dict[str, JsonValue], str]:
    fields: dict[str, JsonValue] = {}
    bad = []
    for name in Card.model_fields:
        try:
            value = Card.model_validate({name: found.get(name)}).model_dump()[name]
        except ValidationError:
            bad.append(name)
            continue
        if value:
            fields[name] = _short(value)
    return fields, f"fields of its model card that cannot be read: {', '.join(bad)}" if bad else ""


def _short(value: _TextOrList) -> JsonValue:
    return value[:_MAX_TEXT] if isinstance(value, str) else [one[:_MAX_TEXT] for one in value[:_MAX_ITEMS]]
