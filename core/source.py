"""Reads YAML and remembers on which line every value stands, so that an error can point at it."""

import re
from collections.abc import Hashable
from textwrap import dedent

import yaml

from core.errors import PermanentError

Path = tuple[str | int, ...]

# Aliases are cheap to write and dear to follow: ten lines of them can stand for a thousand million values.
_VALUES_AT_MOST = 50_000
_LEVELS_AT_MOST = 50
# No number of a rule or a plan needs more, and Python refuses to print one of more than 4,300 digits.
_BITS_AT_MOST = 63
_MESSAGE_AT_MOST = 5_000
_TAG = "tag:yaml.org,2002:"
_TAGS_OF_FORM = frozenset({"int", "float", "bool", "null", "timestamp", "binary"})
# No text of a rule or a plan needs a control character, and half of a surrogate pair cannot be encoded.
_NEVER_IN_A_VALUE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# In a message also line breaks, and what turns the direction of writing in a terminal.
_NEVER_IN_A_MESSAGE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class RuleError(PermanentError):
    """A rule file cannot be used; the text says file, line, what was found and what was expected.

    ``text`` is one line of printable characters, whatever the file holds, and not longer than a log can bear.
    """

    def __init__(self, filename: str, line: int, text: str) -> None:
        text = _one_line(text)
        super().__init__(f"{filename}:{line}: {text}")
        self.filename = filename
        self.line = line
        self.text = text


class UnreadableText(RuleError):
    """The text cannot be taken for YAML at all: a character that none may hold, or a tag that a value does not fit."""


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
        start, written = node.start_mark, self._text[node.start_mark.index : node.end_mark.index]
        if "\n" in written:  # Not for one line: thousands of entries on one line have as many columns before them.
            written = dedent(" " * start.column + written)
        return written.rstrip() + "\n"


def read_source(text: str, filename: str, *, expected: str = "`version` and `rules`") -> Source:
    """Parse ``text``; raises `RuleError` for what is not YAML, for anchors that loop and for keys given twice.

    ``expected`` says what a file that is empty should hold. Nothing else is raised, whatever ``text`` is.
    """
    loader = _loader(text, filename)
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
    except ValueError as error:  # Of the scanner, at an escape such as "\U00110000" and at a version of 5,000 digits.
        raise UnreadableText(filename, loader.line + 1, f"not YAML: {error}: expected text") from error
    finally:
        loader.dispose()
    return Source(filename, content, reader.lines, text, node)


class _Loader(yaml.SafeLoader):
    """Stops at too many levels: PyYAML looks ahead past each, and would be busy for seconds before Python stops it."""

    def __init__(self, text: str, filename: str) -> None:
        super().__init__(text)
        self._filename = filename
        self._level = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose what comes next; raises `RuleError` below `_LEVELS_AT_MOST` levels."""
        if parent is not None and self._level > _LEVELS_AT_MOST:
            raise _too_deep(self._filename, parent.start_mark.line + 1)
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        return node


def _loader(text: str, filename: str) -> _Loader:
    try:
        return _Loader(text, filename)
    except yaml.reader.ReaderError as error:
        line = len(_LINE_BREAK.findall(text, 0, error.position)) + 1
        found = f"the character U+{ord(text[error.position]):04X}"
        raise UnreadableText(filename, line, f"not YAML: {found}: expected text without control characters") from error


def _too_deep(filename: str, line: int) -> RuleError:
    return RuleError(filename, line, f"nested too deeply: expected {_LEVELS_AT_MOST} levels at most")


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
            raise _too_deep(self._filename, node.start_mark.line + 1)
        if len(self.lines) > _VALUES_AT_MOST:
            raise self._error(node, f"too large: expected {_VALUES_AT_MOST} values at most")
        self._around.add(id(node))
        value = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        self._around.remove(id(node))
        return value

    def _scalar(self, node: yaml.ScalarNode) -> object:
        self._require_text(node)
        self._require_fitting_tag(node)
        try:
            scalar: object = self._loader.construct_object(node)
        except (ValueError, OverflowError) as error:
            wanted = "a date that exists" if _short(node.tag) == "timestamp" else "a number"
            raise self._error(node, f"{node.value!r}: {error}: expected {wanted}, or a text in quotes") from error
        if isinstance(scalar, int) and scalar.bit_length() > _BITS_AT_MOST:
            raise self._error(node, f"{node.value!r}: too large: expected a number of {_BITS_AT_MOST} bits at most")
        return scalar

    def _sequence(self, node: yaml.Node, path: Path) -> list[object]:
        return [self.plain(each, (*path, index)) for index, each in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[Hashable, object]:
        mapping: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a list or a mapping as a key: expected a text")
            self._require_text(key_node)
            key = key_node.value
            if key in mapping:
                raise self._error(key_node, f"`{key}` is given twice: expected once")
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            mapping[key] = self.plain(value_node, (*path, key))
        return mapping

    def _require_text(self, node: yaml.ScalarNode) -> None:
        if (found := _NEVER_IN_A_VALUE.search(node.value)) is not None:
            problem = f"the character U+{ord(found[0]):04X} in a text: expected one without control characters"
            raise UnreadableText(self._filename, node.start_mark.line + 1, problem)

    def _require_fitting_tag(self, node: yaml.ScalarNode) -> None:
        """Refuse ``!!timestamp "x"``: PyYAML's constructors fail in many ways at a text that does not look the part."""
        tag = _short(node.tag)
        if tag not in _TAGS_OF_FORM:
            return
        own = _short(self._loader.resolve(yaml.ScalarNode, node.value, (True, False)))  # type: ignore[no-untyped-call]
        if tag != own and (tag, own) != ("float", "int"):
            problem = f"{node.value!r} is no {tag}: expected a text that fits its tag, or no tag"
            raise UnreadableText(self._filename, node.start_mark.line + 1, problem)

    def _error(self, node: yaml.Node, text: str) -> RuleError:
        return RuleError(self._filename, node.start_mark.line + 1, text)


def _short(tag: str) -> str:
    return tag.removeprefix(_TAG)


def _one_line(text: str) -> str:
    """Return ``text`` with all that is not printable written as an escape, and without its middle where it is long."""
    line = _NEVER_IN_A_MESSAGE.sub(lambda found: ascii(found[0])[1:-1], text)
    half = _MESSAGE_AT_MOST // 2
    return line if len(line) <= _MESSAGE_AT_MOST else f"{line[:half]} … {line[-half:]}"
