"""From the text of a rule file to rules that are known to make sense; all or nothing, but all mistakes are told."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from alerts.rules.checks import problems
from alerts.rules.model import Rule
from alerts.rules.series import RuleTest
from alerts.rules.series_checks import series_problems
from alerts.rules.shapes import shaped
from core.source import Path, RuleError, Source, read_source


class _Outline(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule file before its rules and tests are looked at, one by one."""

    version: Literal[1]
    rules: list[Any]
    tests: list[Any] = []


class Loaded(Struct, frozen=True):
    """What a rule file holds; ``written`` is each rule as YAML, the lines say where each rule and test begins.

    With ``mistakes``, by rising line, the rest is only a part of the file.
    """

    rules: list[Rule]
    written: list[str]
    rule_lines: list[int]
    tests: list[RuleTest]
    test_lines: list[int]
    mistakes: list[RuleError]


def load_rules(text: str, filename: str) -> list[Rule]:
    """Return the rules of a file; raises `RuleError` with ``filename``, line and what was expected."""
    return load_file(text, filename).rules


def load_file(text: str, filename: str, *, beside: Sequence[Rule] = ()) -> Loaded:
    """Return what a file holds; raises the first `RuleError` there is. See `check_file`."""
    loaded = check_file(text, filename, beside=beside)
    if loaded.mistakes:
        raise loaded.mistakes[0]
    return loaded


def load_rule(text: str, filename: str) -> Rule:
    """Return the one rule that ``text`` is: an entry of the list ``rules``, by itself. Raises `RuleError`."""
    rule, mistakes = check_rule(text, filename)
    if rule is None or mistakes:
        raise mistakes[0]
    return rule


def check_rule(text: str, filename: str) -> tuple[Rule | None, list[RuleError]]:
    """Return the one rule that ``text`` is, and all of its mistakes by rising line; raises nothing."""
    try:
        source = read_source(text, filename, expected="a rule")
    except RuleError as error:
        return None, [error]
    rule, mistakes = _rule(source, (), source.content, "")
    return rule, sorted(mistakes, key=_line)


def check_file(text: str, filename: str, *, beside: Sequence[Rule] = ()) -> Loaded:
    """Return what a file holds, and as many of its mistakes as can be told from each other; raises nothing.

    ``beside`` are rules of other files that its tests may speak of; they stand before the rules returned.
    """
    try:
        source = read_source(text, filename)
    except RuleError as error:
        return Loaded([*beside], [], [], [], [], [error])
    outline, found = shaped(source.content, _Outline)
    mistakes = [source.error(path, f"{_place(path) or 'file: '}{problem}") for path, problem in found]
    rules: list[Rule] = [*beside]
    written: list[str] = []
    rule_lines: list[int] = []
    texts = source.items("rules")
    for index, content in enumerate(_list(source, outline, "rules")):
        rule, wrong = _rule(source, ("rules", index), content, f"#{index + 1}")
        mistakes += wrong
        if rule is not None:
            mistakes += _twice(source, ("rules", index, "id"), rule, rules)
            rules.append(rule)
            written.append(texts[index])
            rule_lines.append(source.line(("rules", index)))
    tests, wrong = _tests(source, _list(source, outline, "tests"), rules, complete=not mistakes)
    test_lines = [source.line(("tests", index)) for index in range(len(tests))]
    return Loaded(rules, written, rule_lines, tests, test_lines, sorted(mistakes + wrong, key=_line))


def _list(source: Source, outline: _Outline | None, key: str) -> list[Any]:
    """Return the list under ``key``, also of a file that is otherwise wrong."""
    if outline is not None:
        return outline.rules if key == "rules" else outline.tests
    found = source.content.get(key) if isinstance(source.content, dict) else None
    return found if isinstance(found, list) else []


def _rule(source: Source, path: Path, content: object, number: str) -> tuple[Rule | None, list[RuleError]]:
    name = content.get("id", number) if isinstance(content, dict) else number
    prefix = f"rule {name}: " if name else "rule: "
    rule, found = shaped(content, Rule)
    if rule is None:
        return None, [source.error((*path, *where), f"{prefix}{_place(where)}{problem}") for where, problem in found]
    return rule, [source.error((*path, *where), f"{prefix}{problem}") for where, problem in problems(rule)]


def _twice(source: Source, path: Path, rule: Rule, before: list[Rule]) -> list[RuleError]:
    if rule.id not in {one.id for one in before}:
        return []
    return [source.error(path, f"rule {rule.id}: id {rule.id!r} is used twice: expected one rule of that id")]


def _tests(
    source: Source, contents: list[Any], rules: list[Rule], *, complete: bool
) -> tuple[list[RuleTest], list[RuleError]]:
    """Return the tests; what they say of rules is looked at only where all rules are known (``complete``)."""
    tests: list[RuleTest] = []
    mistakes: list[RuleError] = []
    for index, content in enumerate(contents):
        test, found = shaped(content, RuleTest)
        name = content.get("name", f"#{index + 1}") if isinstance(content, dict) else f"#{index + 1}"
        if test is not None:
            tests.append(test)
            found = list(series_problems(test, {rule.id for rule in rules} if complete else None))
            if test.name in {one.name for one in tests[:-1]}:
                found.append((("name",), "is used twice: expected one test of that name"))
            mistakes += [source.error(("tests", index, *path), f"test {name}: {text}") for path, text in found]
        else:
            mistakes += [
                source.error(("tests", index, *path), f"test {name}: {_place(path)}{text}") for path, text in found
            ]
    return tests, mistakes


def _place(path: Path) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def _line(error: RuleError) -> int:
    return error.line
