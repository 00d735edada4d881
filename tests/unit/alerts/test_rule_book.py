"""Which rules are in force when pack, files and rule book are put together."""

from datetime import UTC, datetime

import pytest

from alerts.history import RuleRevisionRow
from alerts.rules.book import Merged, RuleInForce, differences, enabled, merged
from alerts.rules.loading import Loaded, check_file

NOW = datetime(2026, 8, 14, tzinfo=UTC)


def one(name: str, severity: str = "major", condition: str = "{kind: missing, nothing_for: 5m}") -> str:
    """Return one rule as the book keeps it."""
    return (
        f"id: {name}\nkind: thermal\nseverity: {severity}\ntitle: {{zh: 题, en: title}}\n"
        f"next_step: {{zh: 步, en: step}}\ncondition: {condition}\n"
    )


def file_of(name: str, *rules: str) -> Loaded:
    entries = "".join("  - " + rule.rstrip().replace("\n", "\n    ") + "\n" for rule in rules)
    return check_file(f"version: 1\nrules:\n{entries}", name)


def row(rule: str, text: str, *, on: bool = True, revision: int = 3) -> RuleRevisionRow:
    return RuleRevisionRow(7, rule, revision, text, on, "li", "", NOW)


def short(found: Merged) -> list[tuple[str, str, str, bool]]:
    return [
        (entry.id, entry.source, entry.rule.severity.value if entry.rule else "-", entry.enabled)
        for entry in found.listed
    ]


FILES = {"built-in": file_of("builtin.yaml", one("a"), one("b")), "site.yaml": file_of("site.yaml", one("c"))}

CASES = {
    "files alone": (
        [],
        [("a", "built-in", "major", True), ("b", "built-in", "major", True), ("c", "site.yaml", "major", True)],
    ),
    "the book replaces a rule of the pack": (
        [row("a", one("a", "minor"))],
        [("a", "rule book", "minor", True), ("b", "built-in", "major", True), ("c", "site.yaml", "major", True)],
    ),
    "the book replaces a rule of a file": (
        [row("c", one("c", "info"))],
        [("a", "built-in", "major", True), ("b", "built-in", "major", True), ("c", "rule book", "info", True)],
    ),
    "the book adds one": (
        [row("d", one("d", "info"))],
        [
            ("a", "built-in", "major", True),
            ("b", "built-in", "major", True),
            ("c", "site.yaml", "major", True),
            ("d", "rule book", "info", True),
        ],
    ),
    "switched off": (
        [row("a", one("a"), on=False)],
        [("a", "rule book", "major", False), ("b", "built-in", "major", True), ("c", "site.yaml", "major", True)],
    ),
    "switched off, and no longer understood": (
        [row("a", "colour: red", on=False)],
        [("a", "rule book", "-", False), ("b", "built-in", "major", True), ("c", "site.yaml", "major", True)],
    ),
}


@pytest.mark.parametrize(("kept", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_in_force(kept: list[RuleRevisionRow], expected: list[tuple[str, str, str, bool]]) -> None:
    found = merged(FILES, kept)
    assert found.mistakes == []
    assert short(found) == expected
    on = {name for name, _, _, is_on in expected if is_on}
    assert {rule.id for rule in enabled(found.listed)} == on


MISTAKES = {
    "two files with one id": (
        {"built-in": FILES["built-in"], "x.yaml": file_of("x.yaml", one("c"), one("a"))},
        [],
        "x.yaml:9: rule a: id 'a' stands in built-in as well",
    ),
    "a broken file": ({"x.yaml": file_of("x.yaml", one("a", "bad"))}, [], "x.yaml:5: rule a: severity: "),
    "a broken revision": (FILES, [row("a", one("a", "bad"))], "rule book: a revision 3:3: rule a: severity: "),
    "a revision of another rule": (
        FILES,
        [row("a", one("b"))],
        "rule book: a revision 3:1: rule b: id 'b': expected 'a'",
    ),
    "a revision without sense": (
        FILES,
        [row("a", one("a", condition="{kind: threshold, signal: speed_mps, above: 1}"))],
        "rule book: a revision 3:6: rule a: signal 'speed_mps' is unknown for thermal",
    ),
}


@pytest.mark.parametrize(("files", "kept", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_name_where_they_stand(files: dict[str, Loaded], kept: list[RuleRevisionRow], expected: str) -> None:
    (mistake,) = merged(files, kept).mistakes
    assert str(mistake).startswith(expected)


def test_the_texts_of_a_file_are_its_rules_as_written() -> None:
    entry = next(each for each in merged(FILES, []).listed if each.id == "b")
    assert entry == RuleInForce("b", FILES["built-in"].rules[1], "built-in", one("b"))


def test_differences_name_what_was_added_changed_and_removed() -> None:
    before = file_of("x", one("a"), one("b"), one("c")).rules
    now = file_of("x", one("b", "info"), one("c"), one("d")).rules
    assert differences(before, now) == {"added": ["d"], "changed": ["b"], "removed": ["a"]}
