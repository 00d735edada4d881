"""Reads YAML and remembers on which line every value stands, so that an error can point at it."""

from collections.abc import Hashable
from textwrap import dedent

import yaml

from core.errors import PermanentError

Path = tuple[str | int, ...]

# Aliases are cheap to write and dear to follow: ten lines of them can stand for a thousand million values.
_VALUES_AT_MOST = 200_000


class RuleError(PermanentError):
    """A rule file cannot be used; the text says file, line, what was found and what was expected."""

    def __init__(self, filename: str, line: int, text: str) -> None:
        super().__init__(f"{filename}:{line}: {text}")
        self.filename = filename
        self.line = line


class Source:
    """A parsed file: ``content`` as plain Python values, and the line of each."""

    def __init__(self, filename: str, content: object, lines: dict[Path, int], text: str, node: yaml.Node) -> None:
        self.filename = filename
        self.content = content
        self._lines = lines
        self._text = text
        self._node = node

    def error(self, path: Path, text: str) -> RuleError:
        """Return the error that points at ``path``, or at the nearest thing around it that has a line."""
        while path and path not in self._lines:
            path = path[:-1]
        return RuleError(self.filename, self.line(path), text)

    def line(self, path: Path) -> int:
        """Return the line of ``path``, 1 where it has none."""
        return self._lines.get(path, 1)

    def items(self, key: str) -> list[str]:
        """Return the entries of the list under ``key`` as they are written, each as YAML of its own."""
        for name, value in self._node.value if isinstance(self._node, yaml.MappingNode) else ():
            if name.value == key and isinstance(value, yaml.SequenceNode):
                return [self._written(entry) for entry in value.value]
        return []

    def _written(self, node: yaml.Node) -> str:
        start, end = node.start_mark, node.end_mark
        return dedent(" " * start.column + self._text[start.index : end.index]).rstrip() + "\n"


def read_source(text: str, filename: str) -> Source:
    """Parse ``text``; raises `RuleError` for what is not YAML, for anchors that loop and for keys given twice."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise RuleError(filename, 1, "the file is empty: expected `version` and `rules`")
        lines: dict[Path, int] = {}
        content = _plain(loader, node, (), lines, filename)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RuleError(filename, mark.line + 1 if mark else 1, f"not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise RuleError(filename, 1, f"not YAML: {error}") from error
    except RecursionError as error:
        raise RuleError(filename, 1, "nested too deeply, or an anchor that contains itself") from error
    finally:
        loader.dispose()
    return Source(filename, content, lines, text, node)


def _plain(loader: yaml.SafeLoader, node: yaml.Node, path: Path, lines: dict[Path, int], filename: str) -> object:
    lines.setdefault(path, node.start_mark.line + 1)
    if len(lines) > _VALUES_AT_MOST:
        raise RuleError(filename, node.start_mark.line + 1, f"too large: expected {_VALUES_AT_MOST} values at most")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, each, (*path, index), lines, filename) for index, each in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        try:
            scalar: object = loader.construct_object(node)
        except ValueError as error:
            raise RuleError(filename, node.start_mark.line + 1, f"{node.value!r}: {error}") from error
        return scalar
    mapping: dict[Hashable, object] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in mapping:
            raise RuleError(filename, line, f"`{key}` is given twice: expected once")
        lines[(*path, key)] = line
        mapping[key] = _plain(loader, value_node, (*path, key), lines, filename)
    return mapping
