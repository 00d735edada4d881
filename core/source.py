"""Reads YAML and remembers on which line every value stands, so that an error can point at it."""

from collections.abc import Hashable
from textwrap import dedent

import yaml

from core.errors import PermanentError

Path = tuple[str | int, ...]

# Aliases are cheap to write and dear to follow: ten lines of them can stand for a thousand million values.
_VALUES_AT_MOST = 50_000
_LEVELS_AT_MOST = 50


class RuleError(PermanentError):
    """A rule file cannot be used; the text says file, line, what was found and what was expected."""

    def __init__(self, filename: str, line: int, text: str) -> None:
        super().__init__(f"{filename}:{line}: {text}")
        self.filename = filename
        self.line = line
        self.text = text


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


def read_source(text: str, filename: str, *, expected: str = "`version` and `rules`") -> Source:
    """Parse ``text``; raises `RuleError` for what is not YAML, for anchors that loop and for keys given twice.

    ``expected`` says what a file that is empty should hold.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise RuleError(filename, 1, f"the file is empty: expected {expected}")
        reader = _Reader(loader, filename)
        content = reader.plain(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RuleError(filename, mark.line + 1 if mark else 1, f"not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise RuleError(filename, 1, f"not YAML: {error}") from error
    except RecursionError as error:
        raise RuleError(filename, 1, f"nested too deeply: expected {_LEVELS_AT_MOST} levels at most") from error
    finally:
        loader.dispose()
    return Source(filename, content, reader.lines, text, node)


class _Reader:
    """Turns nodes into plain values and remembers their lines."""

    def __init__(self, loader: yaml.SafeLoader, filename: str) -> None:
        self._loader = loader
        self._filename = filename
        self._around: set[int] = set()
        self.lines: dict[Path, int] = {}

    def plain(self, node: yaml.Node, path: Path) -> object:
        """Return what ``node`` says; raises `RuleError`."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._around:
            raise self._error(node, "an anchor that contains itself: expected a value of its own")
        if len(self._around) >= _LEVELS_AT_MOST:
            raise self._error(node, f"nested too deeply: expected {_LEVELS_AT_MOST} levels at most")
        if len(self.lines) > _VALUES_AT_MOST:
            raise self._error(node, f"too large: expected {_VALUES_AT_MOST} values at most")
        self._around.add(id(node))
        value = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        self._around.remove(id(node))
        return value

    def _scalar(self, node: yaml.ScalarNode) -> object:
        try:
            scalar: object = self._loader.construct_object(node)
        except ValueError as error:
            wanted = "expected a date that exists, or a text in quotes"
            raise self._error(node, f"{node.value!r}: {error}: {wanted}") from error
        return scalar

    def _sequence(self, node: yaml.Node, path: Path) -> list[object]:
        return [self.plain(each, (*path, index)) for index, each in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[Hashable, object]:
        mapping: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key_node.value)
            if key in mapping:
                raise self._error(key_node, f"`{key}` is given twice: expected once")
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            mapping[key] = self.plain(value_node, (*path, key))
        return mapping

    def _error(self, node: yaml.Node, text: str) -> RuleError:
        return RuleError(self._filename, node.start_mark.line + 1, text)
