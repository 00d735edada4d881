"""Code lists: one YAML file for each source of codes, checked as rule files are, with file and line.

The lists that come with Anju stand in `core.codes`; a site adds files of its own. A file of a site may name a source
that Anju knows: its codes are added to that list, and replace the codes of the same name. The lists are in force in
the whole process: a code is named in many places, from the decoder to the sentence of an alert, and has one meaning
in all of them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from core.faults import CodeClass, CodeMeaning, EventKind, FaultKind, FaultSeverity
from core.source import Path, RuleError, Source, read_source
from core.wire.payloads import Word

Codes = Mapping[str, CodeMeaning]
CodeLists = Mapping[str, Codes]
"""The meaning of every code, by source and code."""
Grade = Literal["A", "B", "C", "D"]
"""What a list rests on: A specification or vendor's document, B working code or a capture, C hearsay, D ours."""

_UNKNOWN = CodeMeaning(CodeClass.FAULT, FaultKind.OTHER, FaultSeverity.MAJOR, "其他故障", "other fault")
_NO_CODES: Codes = {}
_CODE_CHARACTERS_AT_MOST = 64  # as on the wire
_WHERE = re.compile(r" - at `\$\.?([^`]*)`$")
_FIELD = re.compile(r"field `([^`]+)`")
_EVENTS = frozenset(EventKind)
_FAULTS = tuple(kind for kind in FaultKind if kind is not FaultKind.MAIN_POWER_OFF)
_KINDS: dict[CodeClass, tuple[str, ...]] = {
    CodeClass.FAULT: _FAULTS,
    CodeClass.EVENT: tuple(kind for kind in EventKind if kind is not EventKind.ALARM_BUTTON),
    CodeClass.ALARM: (EventKind.ALARM_BUTTON, *_FAULTS),
}


class _Outline(Struct, frozen=True, forbid_unknown_fields=True):
    """A file before its codes are looked at, one by one."""

    version: Literal[1]
    source: Word
    grade: Grade
    evidence: Annotated[str, Meta(min_length=1, max_length=500)]
    codes: Annotated[dict[str, object], Meta(min_length=1)]


class _Code(Struct, frozen=True, forbid_unknown_fields=True):
    code_class: CodeClass = field(name="class")
    kind: str
    zh: Annotated[str, Meta(min_length=1, max_length=100)]
    en: Annotated[str, Meta(min_length=1, max_length=100)]
    severity: FaultSeverity | None = None


class CodeFile(Struct, frozen=True):
    """What a file holds, with the line of each code; with ``mistakes``, by rising line, that is only a part of it."""

    filename: str
    source: str
    codes: Codes
    lines: Mapping[str, int]
    mistakes: list[RuleError]


class _InForce:
    """The one place where the lists in force are kept; ``None`` before `use_lists`: those that come with Anju."""

    lists: CodeLists | None = None


def use_lists(lists: CodeLists) -> None:
    """Put ``lists`` in force in this process, in place of those before."""
    _InForce.lists = lists


def meaning_of(source: str, code: str) -> CodeMeaning:
    """Return what ``code`` means in the list ``source``; an unknown pair is *other fault*, major, never an error."""
    return _in_force().get(source, _NO_CODES).get(code, _UNKNOWN)


def is_known_list(source: str) -> bool:
    """Tell whether there is a list ``source``."""
    return source in _in_force()


def is_known(source: str, code: str) -> bool:
    """Tell whether ``code`` stands in the list ``source``."""
    return code in _in_force().get(source, _NO_CODES)


def _in_force() -> CodeLists:
    return builtin_lists() if _InForce.lists is None else _InForce.lists


@cache
def builtin_lists() -> CodeLists:
    """Return the lists that come with Anju; read and checked once."""
    folder = files("core.codes")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return combined(check_codes(folder.joinpath(name).read_text(encoding="utf-8"), name) for name in names)


def combined(found: Iterable[CodeFile], onto: CodeLists | None = None) -> CodeLists:
    """Return the lists of ``found`` together, added to ``onto``; raises the first `RuleError` there is.

    A code that two of the files give is a mistake: nobody could say which of them counts.
    """
    added: dict[str, dict[str, CodeMeaning]] = {}
    for file in found:
        if file.mistakes:
            raise file.mistakes[0]
        codes = added.setdefault(file.source, {})
        if twice := sorted(codes.keys() & file.codes.keys()):
            problem = f"code {twice[0]} of {file.source} stands in another file too: expected it in one"
            raise RuleError(file.filename, file.lines[twice[0]], problem)
        codes |= file.codes
    before = onto or {}
    return {**before, **{source: {**before.get(source, {}), **codes} for source, codes in added.items()}}


def check_codes(text: str, filename: str) -> CodeFile:
    """Return what a file holds, and all of its mistakes; raises nothing."""
    try:
        source = read_source(text, filename, expected="`version`, `source` and `codes`")
    except RuleError as error:
        return CodeFile(filename, "", {}, {}, [error])
    try:
        outline = msgspec.convert(source.content, _Outline)
    except msgspec.ValidationError as error:
        return CodeFile(filename, "", {}, {}, [_shape_error(source, (), "", error)])
    codes: dict[str, CodeMeaning] = {}
    mistakes: list[RuleError] = []
    for code, content in outline.codes.items():
        meaning, found = _meaning(source, code, content)
        mistakes += found
        if meaning is not None:
            codes[code] = meaning
    lines = {code: source.line(("codes", code)) for code in codes}
    return CodeFile(filename, outline.source, codes, lines, sorted(mistakes, key=lambda mistake: mistake.line))


def _meaning(source: Source, code: str, content: object) -> tuple[CodeMeaning | None, list[RuleError]]:
    path: Path = ("codes", code)
    try:
        written = msgspec.convert(content, _Code)
    except msgspec.ValidationError as error:
        return None, [_shape_error(source, path, f"code {code}: ", error)]
    found = list(_problems(code, written))
    if found:
        return None, [source.error((*path, *where), f"code {code}: {text}") for where, text in found]
    kind = EventKind(written.kind) if written.kind in _EVENTS else FaultKind(written.kind)
    return CodeMeaning(written.code_class, kind, written.severity, written.zh, written.en), []


def _problems(code: str, written: _Code) -> Iterator[tuple[Path, str]]:
    if not 0 < len(code) <= _CODE_CHARACTERS_AT_MOST:
        yield (), f"{len(code)} characters: expected 1 to {_CODE_CHARACTERS_AT_MOST}"
    kinds = _KINDS[written.code_class]
    if written.kind not in kinds:
        yield ("kind",), f"kind: {written.kind!r} is no {written.code_class}: expected one of {', '.join(kinds)}"
    elif written.kind in _EVENTS:
        if written.severity is not None:
            yield ("severity",), f"severity: {written.kind} is no fault: expected none, the rules for it have theirs"
    elif written.severity is None:
        yield (), f"severity is missing: expected one of {', '.join(FaultSeverity)}"


def _shape_error(source: Source, path: Path, prefix: str, error: msgspec.ValidationError) -> RuleError:
    text = str(error)
    where = path
    if (found := _WHERE.search(text)) is not None:
        text = text[: found.start()]
        where = (*path, *found[1].split("."))
        prefix += f"{found[1]}: "
    elif "unknown field" in text and (named := _FIELD.search(text)) is not None:
        where = (*path, named[1])
    return source.error(where, f"{prefix}{text}{_expected(where)}")


_EXPECTED: dict[str, Iterable[str]] = {
    "class": CodeClass,
    "severity": FaultSeverity,
    "grade": ("A", "B", "C", "D"),
    "version": ("1",),
}


def _expected(path: Path) -> str:
    values = _EXPECTED.get(str(path[-1])) if path else None
    return f": expected {', '.join(values)}" if values else ""
