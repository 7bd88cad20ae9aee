"""Renders a specification's client and its test. Values enter the templates as literals only."""

import keyword
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

import jinja2
from ruff import find_ruff_bin  # type: ignore[import-untyped]  # ships no types

from modelscan.errors import GenerationRefused
from modelscan.types import ClientSpec, SourceRecord
from modelscan.wire import protocol_of
from modelscan.wire.cases import derive

__all__ = ["module_name", "render_client", "render_test"]

_TAKEN = re.compile(
    "anthropic|conftest|flows|generated|google|httpx2?|modelscan|openai|pydantic|pytest|router_app|setup|tasks|tests?|test_.*"
    # Windows opens its devices under these names, whatever the suffix.
    "|aux|con|nul|prn|com[0-9]|lpt[0-9]"
)
_LINE_LENGTH = "120"
_SECONDS = 30


def module_name(provider: str) -> str:
    """The Python module of a provider: `deepseek`, `together_ai`, `provider_302ai`."""
    name = re.sub(r"[^a-z0-9_]", "_", provider)
    return f"provider_{name}" if name[0].isdigit() or _is_taken(name) else name


def _is_taken(name: str) -> bool:
    """Whether a module of that name is none, or stands in another's way: `import openai` beside it would get it."""
    word = keyword.iskeyword(name) or keyword.issoftkeyword(name)
    return word or name in sys.stdlib_module_names or bool(_TAKEN.fullmatch(name))


def render_client(spec: ClientSpec, records: Sequence[SourceRecord]) -> str:
    """The client's module; `records` are those that the specification cites."""
    beside = [record.model_dump(mode="json", exclude={"payload"}) for record in records]
    literal_spec = _literal({**spec.stated(), "digest": spec.digest, "records": beside})
    protocol = protocol_of(spec)
    template = _environment().get_template(protocol.client_template)
    return _formatted(template.render(spec=spec, protocol=protocol, records=records, literal_spec=literal_spec))


def render_test(spec: ClientSpec) -> str:
    """The contract's test, from the specification alone."""
    module = module_name(spec.provider)
    protocol = protocol_of(spec)
    template = _environment().get_template(protocol.test_template)
    named = filter(None, (spec.test_model, spec.embedding_model))
    models = sorted({*named, *(model.id for model in spec.models[:50])})
    stated = spec.stated()
    names = {"module": module, "test_module": f"test_{module}", "models": models, "cases": derive(spec)}
    rest = {"rest": stated.get("rest"), "endpoints": stated["endpoints"]}
    return _formatted(template.render(spec=spec, protocol=protocol, rest=rest, **names))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("modelscan.wire", "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Python, not HTML: what enters goes through `literal` or `prose`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    own = {name: environment.filters[name] for name in ("join", "list", "map")}
    environment.filters = {"literal": _literal, "prose": _prose, **own}
    return environment


def _literal(value: object) -> str:
    """A Python literal of plain data; ASCII, so that no look-alike or direction mark hides in the file."""
    return ascii(value)


def _prose(text: str) -> str:
    """Text that may stand in a docstring: it can neither end it nor escape in it."""
    return ascii(text)[1:-1].replace("\\", "/").replace('"', "'")


def _formatted(source: str) -> str:
    """`source` as ruff formats it, taking no configuration from where this runs."""
    command = [find_ruff_bin(), "format", "--isolated", "--line-length", _LINE_LENGTH, "--target-version", "py311", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise GenerationRefused(
            f"The rendered module is not Python: {done.stderr.strip()[:300]}",
            hint="This is a fault of the template; please report it with the provider's name.",
        )
    return done.stdout
