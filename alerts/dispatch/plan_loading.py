"""From the text of a plan file to a plan that is known to make sense; all or nothing, but all mistakes are told."""

import re
from itertools import islice
from typing import Any, get_args

import msgspec

from alerts.dispatch.plan import Day, EqualLabel, Gaps, GroupBy, Language, Plan, Turn
from alerts.dispatch.plan_checks import problems
from alerts.matchers import Operator
from alerts.model import Severity
from alerts.rules.shapes import Choices, shaped
from core.shapes import MISTAKES_AT_MOST
from core.source import Path, RuleError, read_source

_PATTERN = re.compile(r"`str` matching regex .*$", re.DOTALL)
_WAIT = "a duration such as 45s, 5m or 1h, or 0s for at once"
# What a text must look like, by its key, where its pattern says little to people.
_LOOKS: dict[str, str] = {
    "name": "letters a-z, digits and inner dashes, at most 40",
    "policy": "letters a-z, digits and inner dashes, at most 40",
    "after": _WAIT,
    "group_wait": _WAIT,
    "grace": _WAIT,
    "hours": 'hours in quotes such as "08:00-20:00"',
    "handover": 'a time in quotes such as "08:00"',
    "weekly_test": 'a day and a time in quotes such as "mon 10:00"',
    "notify": "rota:NAME, person:NAME or receiver:NAME",
}
_CHOICES: Choices = {
    "version": ("1",),
    "language": get_args(Language),
    "start": ("a date such as 2026-01-05",),
    "every": get_args(Turn),
    "gaps": get_args(Gaps),
    "unattended": tuple(Severity),
    "operator": tuple(Operator),
    "days": get_args(Day),
    "group_by": get_args(GroupBy),
    "equal": get_args(EqualLabel),
}


def load_plan(text: str, filename: str) -> Plan:
    """Return the plan of a file; raises the first `RuleError` there is. See `check_plan`."""
    plan, mistakes = check_plan(text, filename)
    if plan is None or mistakes:
        raise mistakes[0]
    return plan


def check_plan(text: str, filename: str) -> tuple[Plan | None, list[RuleError]]:
    """Return the plan of a file, and its mistakes by rising line, each with what was expected; raises nothing."""
    try:
        source = read_source(text, filename, expected="`version`, `receivers`, `policies`, `routes`")
    except RuleError as error:
        return None, [error]
    plan, found = shaped(source.content, Plan, _CHOICES)
    mistakes = [source.error(path, f"{_place(path)}: {_in_words(path, problem)}") for path, problem in found]
    if plan is not None:
        mistakes = [source.error(path, problem) for path, problem in islice(problems(plan), MISTAKES_AT_MOST)]
    return plan, sorted(mistakes, key=lambda mistake: mistake.line)


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) as plain values; docs/reference/notify.schema.json is its copy."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Anju notification plan",
        **msgspec.json.schema(Plan),
    }


def schema_text() -> str:
    """Return the schema as the text of its published file."""
    return msgspec.json.format(msgspec.json.encode(json_schema(), order="sorted"), indent=2).decode() + "\n"


def _place(path: Path) -> str:
    return ".".join(map(str, path)) or "file"


def _in_words(path: Path, problem: str) -> str:
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    if _PATTERN.search(problem):
        return _PATTERN.sub(_LOOKS.get(key, "a duration such as 45s, 5m or 1h"), problem)
    # Without quotes YAML takes 20:00 for a number.
    return f"{problem}: expected {_LOOKS[key]}" if key in _LOOKS and "Expected `str" in problem else problem
