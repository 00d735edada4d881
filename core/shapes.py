"""From plain values to structs, with every mistake of shape, each with its path.

The converter stops at the first mistake. So what it points at is left out of a copy and the rest is tried again, until
nothing is left to complain of. With a wrong ``wait`` left out, its step lacks a key: that is no mistake of the file,
and the step, in which all else was looked at by then, is left out as well. Paths are those of the file all the while.
"""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
import msgspec.inspect as shapes

from core.source import Path

Problem = tuple[Path, str]
"""Where, and what is wrong with what was expected."""
# A file with more of them is not one to be mended line by line.
MISTAKES_AT_MOST = 50
_WHERE = re.compile(r" - at `(?:key in |key` in `)?\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_UNKNOWN_KEY = re.compile(r"unknown field `([^`]+)`")
_TOO_FEW = "of length >="
_MISSING_KEY = re.compile(r"missing required field `([^`]+)`")
_Shape = TypeVar("_Shape")


def shaped(
    content: object, shape: type[_Shape], in_words: Callable[[Path, str, object], str]
) -> tuple[_Shape | None, list[Problem]]:
    """Return ``content`` as ``shape``, or ``None`` with what is wrong with it.

    ``in_words`` puts into words what the converter says of a path, given what is left of the content.
    """
    found: list[Problem] = []
    rest = _Rest(content)
    while len(found) < MISTAKES_AT_MOST:
        try:
            value = msgspec.convert(rest.content, shape)
        except msgspec.ValidationError as error:
            path, message = located(str(error))
            for told, text in _mistakes(path, message, shape, rest):
                found.append((rest.in_file(told), in_words(told, text, rest.content)))
            if not rest.leave_out(path):
                break
        else:
            return (None, found) if found else (value, [])
    return None, found[:MISTAKES_AT_MOST]


def _mistakes(path: Path, message: str, shape: type, rest: "_Rest") -> Iterator[Problem]:
    """Yield what ``message`` says of ``path``, but for what follows from what was left out before."""
    if (missing := _MISSING_KEY.search(message)) is not None:
        there = at(path, rest.content)
        required = [
            name for name, needed in _keys_at(shape, path, rest.content).items() if needed and name not in there
        ]
        for name in [each for each in required or [missing[1]] if not rest.lacks((*path, each))][:1]:
            yield path, message.replace(f"`{missing[1]}`", f"`{name}`")
    elif _UNKNOWN_KEY.search(message) and (known := _keys_at(shape, path[:-1], rest.content)):
        yield path, f"{message}: expected {', '.join(sorted(known))}"
    elif not (_TOO_FEW in message and rest.lacks(path)):
        yield path, message


class _Rest:
    """What is left of a file's content, and where it stands there."""

    def __init__(self, content: object) -> None:
        self.content = deepcopy(content)
        self._left_out: set[Path] = set()
        self._positions: dict[int, list[int]] = {}
        """Of each list that is shorter by now, by its identity: the positions in the file of what it still holds."""

    def in_file(self, path: Path) -> Path:
        """Return the path in the file of what stands at ``path`` now."""
        found: list[str | int] = []
        for depth, step in enumerate(path):
            positions = self._positions.get(id(at(path[:depth], self.content)))
            found.append(positions[step] if positions is not None and isinstance(step, int) else step)
        return tuple(found)

    def lacks(self, path: Path) -> bool:
        """Tell whether what stood at ``path``, or some of it, was left out."""
        place = self.in_file(path)
        return any(each[: len(place)] == place for each in self._left_out)

    def leave_out(self, path: Path) -> bool:
        """Remove what stands at ``path``; ``False`` where nothing does."""
        around = at(path[:-1], self.content)
        if not path or not isinstance(around, dict | list):
            return False
        place = self.in_file(path)
        try:
            if isinstance(around, list):
                del self._positions.setdefault(id(around), [*range(len(around))])[cast("int", path[-1])]
            del cast("Any", around)[path[-1]]
        except (KeyError, IndexError, TypeError):
            return False
        self._left_out.add(place)
        return True


def located(message: str) -> Problem:
    """Return the path that the converter names, that of an unknown key included, and the rest of what it says."""
    path: Path = ()
    if (where := _WHERE.search(message)) is not None:
        path = tuple(name or int(index) for name, index in _STEP.findall(where[1]))
        message = message[: where.start()]
    if (unknown := _UNKNOWN_KEY.search(message)) is not None:
        path = (*path, unknown[1])
    return path, message


def at(path: Path, content: Any) -> Any:
    """Return what stands at ``path``, ``None`` where nothing does."""
    try:
        for step in path:
            content = content[step]
    except (KeyError, IndexError, TypeError):
        return None
    return content


def _keys_at(shape: type, path: Path, content: Any) -> dict[str, bool]:
    """Return the keys of the mapping at ``path`` that is to become a part of a ``shape``, and which are required."""
    found = _chosen(_type_info(shape), content)
    for depth, step in enumerate(path, 1):
        found = _chosen(_within(found, step), at(path[:depth], content))
    if not isinstance(found, shapes.StructType):
        return {}
    tag = {found.tag_field: False} if found.tag_field else {}
    return tag | {field.encode_name: field.required for field in found.fields}


@cache
def _type_info(shape: type) -> shapes.Type:
    return shapes.type_info(shape)


def _within(found: shapes.Type, step: str | int) -> shapes.Type:
    if isinstance(found, shapes.ListType):
        return found.item_type
    if isinstance(found, shapes.StructType):
        return next((field.type for field in found.fields if field.encode_name == step), shapes.AnyType())
    return shapes.AnyType()


def _chosen(found: shapes.Type, content: Any) -> shapes.Type:
    """Return which of several types ``content`` is meant to be: by its own shape and, of structs, by its tag."""
    options = found.types if isinstance(found, shapes.UnionType) else (found,)
    if isinstance(content, list):
        return next((one for one in options if isinstance(one, shapes.ListType)), found)
    structs = [one for one in options if isinstance(one, shapes.StructType)]
    tags = content if isinstance(content, dict) else {}
    return next((one for one in structs if not one.tag_field or tags.get(one.tag_field) == one.tag), found)
