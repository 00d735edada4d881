"""Code lists: one YAML file for each source of codes, checked as rule files are, with file and line.

The lists that come with Anju stand in `core.codes`; a site adds files of its own. A file of a site may name a source
that Anju knows: its codes are added to that list, and replace the codes of the same name. The lists are in force in
the whole process: a code is named in many places, from the decoder to the sentence of an alert, and has one meaning
in all of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from core.faults import CodeClass, CodeMeaning, EventKind, FaultKind, FaultSeverity
from core.shapes import shaped
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
    outline, found = shaped(source.content, _Outline, _in_words)
    mistakes = [source.error(path, f"{_place(path)}{text}") for path, text in found]
    codes: dict[str, CodeMeaning] = {}
    for code, content in _written_codes(source, outline).items():
        meaning, wrong = _meaning(source, code, content)
        mistakes += wrong
        if meaning is not None:
            codes[code] = meaning
    lines = {code: source.line(("codes", code)) for code in codes}
    name = outline.source if outline is not None else ""
    return CodeFile(filename, name, codes, lines, sorted(mistakes, key=lambda mistake: mistake.line))


def _written_codes(source: Source, outline: _Outline | None) -> Mapping[str, object]:
    """Return the codes, also of a file that is otherwise wrong."""
    if outline is not None:
        return outline.codes
    found = source.content.get("codes") if isinstance(source.content, dict) else None
    return found if isinstance(found, dict) else {}


def _meaning(source: Source, code: str, content: object) -> tuple[CodeMeaning | None, list[RuleError]]:
    path: Path = ("codes", code)
    written, shape = shaped(content, _Code, _in_words)
    found = [(where, f"{_place(where)}{text}") for where, text in shape]
    if written is not None:
        found = [*_problems(code, written)]
    if found or written is None:
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


_EXPECTED: dict[str, Iterable[str]] = {
    "class": CodeClass,
    "severity": FaultSeverity,
    "grade": ("A", "B", "C", "D"),
    "version": ("1",),
}


def _in_words(path: Path, message: str, _rest: object) -> str:
    values = _EXPECTED.get(str(path[-1])) if path else None
    return f"{message}: expected {', '.join(values)}" if values else message


def _place(path: Path) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""
