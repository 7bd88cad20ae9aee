"""Reads a YAML file into entries with their positions, and as much as possible of a file that is not quite YAML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import yaml

__all__ = ["Entry", "Problem", "read_entries"]

_EXCERPT = re.compile(r"'[\w.+/=-]{4,}'")
_DEPTH = 2  # Sections of keys; what is deeper is a key's value.
_HEADER = re.compile(r"""\s*["']?([\w.-]+)["']?\s*:\s*(?:#.*)?""")


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` at some depth: `path` of keys, the value's node, and where the key stands (from 1)."""

    path: tuple[str, ...]
    node: yaml.Node
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A place that could not be read (from 1), the keys above it, and why."""

    path: tuple[str, ...]
    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of the file that belong together: their text without common indentation, and where they came from."""

    text: str
    path: tuple[str, ...] = ()
    line: int = 0
    column: int = 0


def read_entries(text: str) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """The entries of the file's mapping, and what could not be read; of two entries of a path the later one counts."""
    entries: list[Entry] = []
    problems: dict[int, Problem] = {}
    for found in _read(_Block(text)):
        if isinstance(found, Entry):
            entries.append(found)
        else:
            problems.setdefault(found.line, found)
    return tuple(entries), tuple(problems[line] for line in sorted(problems))


def _read(block: _Block) -> Iterator[Entry | Problem]:
    try:
        # Without the line ends after it, what is open at the end is noticed on the last line that says something.
        node = yaml.compose(block.text.rstrip(), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        recovered = list(_recover(block))
        # Where a part of it is wrong, that part's own place is nearer than where the parser noticed.
        if not any(isinstance(found, Problem) for found in recovered):
            yield _problem(block, error)
        yield from recovered
        return
    if node is not None:
        yield from _walk(block, node)


def _walk(block: _Block, node: yaml.Node, path: tuple[str, ...] = ()) -> Iterator[Entry | Problem]:
    path = path or block.path
    if not isinstance(node, yaml.MappingNode):
        yield Problem(path, *_position(block, node), "this should be `key: value` lines")
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name in seen:
            yield Problem((*path, name), *_position(block, key), "this key is given twice; the last one counts")
        seen.add(name)
        if isinstance(value, yaml.MappingNode) and len(path) + 1 < _DEPTH:
            yield from _walk(block, value, (*path, name))
        else:
            yield Entry((*path, name), value, *_position(block, key))


def _recover(block: _Block) -> Iterator[Entry | Problem]:
    """Read the parts of a block that is not YAML as a whole: each section alone, then each line of a section."""
    parts = list(_split(block))
    if len(parts) > 1:
        for part in parts:
            yield from _read(part)
    elif parts and (body := _body(parts[0])):
        yield from _read(body)


def _split(block: _Block) -> Iterator[_Block]:
    """Cut where a line is not indented; closing brackets belong to what precedes."""
    lines = block.text.split("\n")
    starts = [number for number, line in enumerate(lines) if line[:1].strip() and line[0] not in "#]}"]
    for start, end in pairwise([*starts, len(lines)]):
        yield _Block("\n".join(lines[start:end]), block.path, block.line + start, block.column)


def _body(block: _Block) -> _Block | None:
    """What stands indented below a `key:` line."""
    header, _, rest = block.text.partition("\n")
    matched = _HEADER.fullmatch(header)
    if not matched or not rest.strip():
        return None
    lines = [line.replace("\t", "  ") if line[:1].isspace() else line for line in rest.split("\n")]
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    text = "\n".join(line[indent:] for line in lines)
    return _Block(text, (*block.path, matched[1]), block.line + 1, block.column + indent)


def _problem(block: _Block, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    return Problem(_path_at(block, line), block.line + line + 1, block.column + column + 1, _said(error))


def _said(error: yaml.YAMLError) -> str:
    """The parser's words without its excerpts of the file, which may show a key."""
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    return f"this is not YAML ({_EXCERPT.sub('a name', said)}); what can be read around it is used"


def _path_at(block: _Block, line: int) -> tuple[str, ...]:
    """The keys above and on a line, made out from the indentation."""
    path: list[tuple[int, str]] = []
    for text in block.text.split("\n")[: line + 1]:
        if matched := re.match(r"""(\s*)["']?([\w.-]+)["']?\s*:""", text):
            path = [(indent, key) for indent, key in path if indent < len(matched[1])]
            path.append((len(matched[1]), matched[2]))
    return (*block.path, *(key for _, key in path))


def _position(block: _Block, node: yaml.Node) -> tuple[int, int]:
    return block.line + node.start_mark.line + 1, block.column + node.start_mark.column + 1
