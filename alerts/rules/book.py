"""Which rules are in force: the built-in pack, rule files, and in their place what people keep through the API."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from alerts.history import RuleRevisionRow
from alerts.rules.loading import Loaded, load_rule
from alerts.rules.model import Rule
from core.source import RuleError

BUILTIN_SOURCE = "built-in"
BOOK_SOURCE = "rule book"


class RuleInForce(Struct, frozen=True):
    """A rule with where it stands: `BUILTIN_SOURCE`, `BOOK_SOURCE`, or the name of a file; ``text`` is its YAML.

    One that is not ``enabled`` is listed, but not in force. ``revision`` is the rule book's, 0 for all others. ``rule``
    is ``None`` only where the text of one that is switched off makes no sense any more.
    """

    id: str
    rule: Rule | None
    source: str
    text: str
    enabled: bool = True
    revision: int = 0


class Merged(Struct, frozen=True):
    """The rules by id, and why some of what was given is not among them."""

    listed: list[RuleInForce]
    mistakes: list[RuleError]


def merged(files: Mapping[str, Loaded], kept: Sequence[RuleRevisionRow]) -> Merged:
    """Return what follows from ``files`` (by name, in order) and the newest revision of each rule in the book.

    A rule in the book replaces the one of that id in a file; two files with the same id are a mistake.
    """
    listed: dict[str, RuleInForce] = {}
    mistakes: list[RuleError] = []
    for name, loaded in files.items():
        mistakes += loaded.mistakes
        for rule, text, line in zip(loaded.rules, loaded.written, loaded.rule_lines, strict=False):
            if (first := listed.get(rule.id)) is not None and first.source != name:
                mistakes.append(RuleError(name, line, _in_two_files(rule.id, first.source)))
            listed.setdefault(rule.id, RuleInForce(rule.id, rule, name, text))
    for row in kept:
        entry, wrong = _kept(row)
        mistakes += wrong
        if entry is not None:
            listed[row.rule] = entry
    return Merged([listed[name] for name in sorted(listed)], mistakes)


def enabled(listed: Sequence[RuleInForce]) -> list[Rule]:
    """Return the rules that are in force."""
    return [one.rule for one in listed if one.enabled and one.rule is not None]


def differences(before: Sequence[Rule], now: Sequence[Rule]) -> dict[str, list[str]]:
    """Return the ids of the rules that were added, changed and removed."""
    old, new = {rule.id: rule for rule in before}, {rule.id: rule for rule in now}
    return {
        "added": sorted(new.keys() - old.keys()),
        "changed": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
        "removed": sorted(old.keys() - new.keys()),
    }


def revision_name(row: RuleRevisionRow) -> str:
    """Return how errors name a revision, in place of a file."""
    return f"{BOOK_SOURCE}: {row.rule} revision {row.revision}"


def _kept(row: RuleRevisionRow) -> tuple[RuleInForce | None, list[RuleError]]:
    rule, wrong = None, []
    try:
        rule = load_rule(row.text, revision_name(row))
    except RuleError as error:
        wrong = [error]
    if rule is not None and rule.id != row.rule:
        wrong = [RuleError(revision_name(row), 1, f"rule {rule.id}: id {rule.id!r}: expected {row.rule!r}")]
    if not row.enabled:
        # What is switched off cannot be in the way, whatever its text says by now.
        return RuleInForce(row.rule, None if wrong else rule, BOOK_SOURCE, row.text, False, row.revision), []
    if wrong:
        return None, wrong
    return RuleInForce(row.rule, rule, BOOK_SOURCE, row.text, True, row.revision), []


def _in_two_files(rule: str, first: str) -> str:
    return f"rule {rule}: id {rule!r} stands in {first} as well: expected one rule of that id over all files"
