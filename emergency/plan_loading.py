"""From the text of an emergency plan to one that makes sense; all mistakes are told, each with its line."""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from core.durations import microseconds
from core.shapes import Problem, shaped
from core.source import Path, RuleError, read_source
from emergency.plan import EmergencyPlan, Ladder

_LONGEST = microseconds("1h")  # In the country rescuers have an hour to be there.
_LOOKS = {
    "name": "letters a-z, digits and inner dashes, at most 40",
    "wait": "a duration such as 30s or 5m",
    "answered_wait": "a duration such as 30s or 5m",
    "dispatch_wait": "a duration such as 30s or 5m",
    "phone": 'a number in quotes such as "119" or "+86 571 8888 0001"',
    "tell": "rota:NAME, person:NAME or receiver:NAME",
    "hours": 'hours of one day in quotes, "09:30-11:00"',
    "area": "urban or rural",
    "days": "mon, tue, wed, thu, fri, sat or sun",
    "community": 'a community, or "*" for all others',
}


@cache
def default_plan() -> EmergencyPlan:
    """Return the plan that is in force as long as nobody has written one; read once, later no file is needed."""
    text = files("emergency").joinpath("default.yaml").read_text(encoding="utf-8")
    return load_plan(text, "built-in emergency plan")


def load_plan(text: str, filename: str, targets: frozenset[str] | None = None) -> EmergencyPlan:
    """Return the plan of a file; raises the first `RuleError` there is. See `check_plan`."""
    plan, mistakes = check_plan(text, filename, targets)
    if plan is None or mistakes:
        raise mistakes[0]
    return plan


def check_plan(
    text: str, filename: str, targets: frozenset[str] | None = None
) -> tuple[EmergencyPlan | None, list[RuleError]]:
    """Return the plan of a file, and its mistakes by rising line, each with what was expected; raises nothing.

    With ``targets``, those of the notification plan, what is told must be among them.
    """
    try:
        source = read_source(text, filename, expected="`version`, `contacts`, `ladders`, `communities`")
    except RuleError as error:
        return None, [error]
    plan, found = shaped(source.content, EmergencyPlan, _in_words)
    mistakes = [source.error(path, f"{'.'.join(map(str, path)) or 'file'}: {problem}") for path, problem in found]
    if plan is not None:
        mistakes = [source.error(path, problem) for path, problem in _problems(plan, targets)]
    return plan, sorted(mistakes, key=lambda mistake: mistake.line)


def _in_words(path: Path, problem: str, _rest: object) -> str:
    key = next((step for step in reversed(path) if isinstance(step, str) and step in _LOOKS), "")
    looks = "matching regex" in problem or (key and problem.startswith(("Expected `str", "Invalid enum")))
    return f"expected {_LOOKS.get(key, 'another form')}" if looks else problem


def _problems(plan: EmergencyPlan, targets: frozenset[str] | None) -> Iterator[Problem]:
    yield from _twice("contacts", [each.name for each in plan.contacts])
    yield from _twice("ladders", [each.name for each in plan.ladders])
    yield from _twice("communities", [each.community for each in plan.communities])
    yield from _of_contacts(plan, targets)
    for index, ladder in enumerate(plan.ladders):
        yield from _too_long(index, ladder)
        for at, name in _repeats([step.name for step in ladder.steps]):
            yield ("ladders", index, "steps", at, "name"), f"step {name} stands twice in ladder {ladder.name}"
    yield from _of_communities(plan)


def _of_contacts(plan: EmergencyPlan, targets: frozenset[str] | None) -> Iterator[Problem]:
    for index, contact in enumerate(plan.contacts):
        if contact.phone is None and not contact.tell:
            yield ("contacts", index), f"contact {contact.name} cannot be reached: expected `phone`, `tell` or both"
        for at, target in enumerate(contact.tell):
            if targets is not None and target not in targets:
                known = ", ".join(sorted(targets)) or "none"
                yield (
                    ("contacts", index, "tell", at),
                    f"{target} is not in the notification plan: expected one of {known}",
                )


def _of_communities(plan: EmergencyPlan) -> Iterator[Problem]:
    contacts, ladders = {each.name for each in plan.contacts}, {each.name: each for each in plan.ladders}
    if all(each.community != "*" for each in plan.communities):
        yield ("communities",), 'no community stands for all others: expected one entry with community "*"'
    for index, each in enumerate(plan.communities):
        at = ("communities", index)
        if each.ladder not in ladders:
            yield (*at, "ladder"), f"no ladder {each.ladder}: expected one of {', '.join(sorted(ladders))}"
            continue
        nearby = dict[str | int, str](enumerate(each.nearby))
        for key, named in (("roles", each.roles), ("contractors", each.contractors), ("nearby", nearby)):
            for where, name in named.items():
                if name not in contacts:
                    yield (*at, key, where), f"no contact {name}: expected one of {', '.join(sorted(contacts))}"
        if each.drills is not None:
            begin, end = each.drills.hours.split("-")
            if begin >= end:
                yield (*at, "drills", "hours"), f"{each.drills.hours} ends before it begins: expected hours of one day"
        roles = {role for step in ladders[each.ladder].steps for role in step.roles}
        if not roles & (each.roles.keys() | contacts):
            wanted = ", ".join(sorted(roles))
            yield (*at, "roles"), f"nobody stands on ladder {each.ladder}: expected at least one role of {wanted}"


def _too_long(index: int, ladder: Ladder) -> Iterator[Problem]:
    waits: list[Problem] = [(("steps", at, "wait"), step.wait) for at, step in enumerate(ladder.steps)]
    waits += [(("answered_wait",), ladder.answered_wait), (("dispatch_wait",), ladder.dispatch_wait)]
    for path, wait in waits:
        if not 0 < microseconds(wait) <= _LONGEST:
            yield ("ladders", index, *path), f"{wait} is too long to wait for help: expected 1h at most"


def _twice(key: str, names: Sequence[str]) -> Iterator[Problem]:
    for index, name in _repeats(names):
        yield (key, index), f"{name} stands twice in {key}: expected each name once"


def _repeats(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    before: set[str] = set()
    for index, name in enumerate(names):
        if name in before:
            yield index, name
        before.add(name)
