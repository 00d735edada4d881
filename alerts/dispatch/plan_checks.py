"""What a schema cannot say of a plan: names that exist, ladders that climb, causes that do not go round in circles."""

import re
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alerts.dispatch.plan import Inhibition, Plan, Receiver, Rota, Route, inhibitions_of
from alerts.dispatch.rota import uncovered
from alerts.matchers import Labels, Matcher, Operator, matches, objection
from core.durations import microseconds
from core.source import Path

Problem = tuple[Path, str]
"""Where in the plan, and what is wrong with what was expected."""

_REFERENCE = re.compile(r"^\$\{[A-Z][A-Z0-9_]{0,63}\}$")
_CHANNELS = ("apprise", "webhook", "mqtt")
_DEVICES_SPEAK_ON = "anju/v1/"


def problems(plan: Plan) -> Iterator[Problem]:
    """Yield what is wrong with ``plan``."""
    yield from _twice(plan)
    yield from _zone_problems(("zone",), plan.zone)
    for index, receiver in enumerate(plan.receivers):
        yield from ((("receivers", index, *path), text) for path, text in _receiver_problems(receiver))
    yield from _people_problems(plan)
    for index, rota in enumerate(plan.rotas):
        yield from ((("rotas", index, *path), text) for path, text in _rota_problems(rota, plan))
    yield from _policy_problems(plan)
    yield from _route_problems(plan)
    yield from _inhibition_problems(plan)


def _twice(plan: Plan) -> Iterator[Problem]:
    named: dict[str, list[str | None]] = {
        "receivers": [each.name for each in plan.receivers],
        "people": [each.name for each in plan.people],
        "rotas": [each.name for each in plan.rotas],
        "policies": [each.name for each in plan.policies],
        "routes": [each.name for each in plan.routes],
    }
    for section, names in named.items():
        for index, name in enumerate(names):
            if name is not None and name in names[:index]:
                yield (section, index, "name"), f"{section}: name {name!r} is used twice: expected once"


def _zone_problems(path: Path, zone: str) -> Iterator[Problem]:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # The last one for a folder of zones, and for a long name.
        yield path, f"zone {zone!r} is unknown: expected a name such as Asia/Shanghai"


def _receiver_problems(receiver: Receiver) -> Iterator[Problem]:
    given = [name for name in _CHANNELS if getattr(receiver, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        yield (), f"receiver {receiver.name}: {found}: expected exactly one of {', '.join(_CHANNELS)}"
    # What was found is not repeated in these errors: it may be the secret.
    if receiver.apprise is not None and not _REFERENCE.match(receiver.apprise.url):
        yield ("apprise", "url"), _plain_secret(receiver.name, "an Apprise URL")
    if receiver.webhook is not None:
        if not _REFERENCE.match(receiver.webhook.secret):
            yield ("webhook", "secret"), _plain_secret(receiver.name, "a signing secret")
        url = receiver.webhook.url
        if not _REFERENCE.match(url) and not url.startswith(("http://", "https://")):
            yield ("webhook", "url"), f"receiver {receiver.name}: expected a URL with http:// or https://"
    if receiver.mqtt is not None:
        yield from _topic_problems(receiver.name, receiver.mqtt.topic)


def _plain_secret(name: str, what: str) -> str:
    return f"receiver {name}: {what} in plain: expected a reference to an environment variable, such as ${{NAME}}"


def _topic_problems(name: str, topic: str) -> Iterator[Problem]:
    if any(sign in topic for sign in "+#\0") or topic.startswith("$"):
        yield (
            ("mqtt", "topic"),
            f"receiver {name}: topic {topic!r}: expected one to publish on, without + # or a leading $",
        )
    if topic.startswith(_DEVICES_SPEAK_ON):
        yield (
            ("mqtt", "topic"),
            f"receiver {name}: topic {topic!r}: devices speak below {_DEVICES_SPEAK_ON}: expected another",
        )


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    return f"{what} {name!r} is unknown: expected one of {', '.join(sorted(known)) or '(none is defined)'}"


def _people_problems(plan: Plan) -> Iterator[Problem]:
    receivers = {each.name for each in plan.receivers}
    for index, person in enumerate(plan.people):
        for position, name in enumerate(person.receivers):
            if name not in receivers:
                yield ("people", index, "receivers", position), _unknown("receiver", name, receivers)


def _rota_problems(rota: Rota, plan: Plan) -> Iterator[Problem]:
    people = {each.name for each in plan.people}
    if rota.zone is not None:
        yield from _zone_problems(("zone",), rota.zone)
    for index, layer in enumerate(rota.layers):
        for position, name in enumerate(layer.people):
            if name not in people:
                yield ("layers", index, "people", position), _unknown("person", name, people)
    if rota.gaps == "refuse" and (gaps := list(uncovered(rota))):
        yield (
            ("layers",),
            f"rota {rota.name}: nobody is on duty {', '.join(gaps)}: expected a layer for it, or `gaps: allow`",
        )


def _policy_problems(plan: Plan) -> Iterator[Problem]:
    known = {
        "receiver": {each.name for each in plan.receivers},
        "person": {each.name for each in plan.people},
        "rota": {each.name for each in plan.rotas},
    }
    for index, policy in enumerate(plan.policies):
        before = 0
        for number, step in enumerate(policy.steps):
            path: Path = ("policies", index, "steps", number)
            after = microseconds(step.after)
            if after < before:
                yield (
                    (*path, "after"),
                    f"policy {policy.name}: step {number} at {step.after} is before the step above it: "
                    f"expected {policy.steps[number - 1].after} or later",
                )
            before = after
            for position, target in enumerate(step.notify):
                what, _, name = target.partition(":")
                if name not in known[what]:
                    yield (*path, "notify", position), _unknown(what, name, known[what])


def _route_problems(plan: Plan) -> Iterator[Problem]:
    policies = {each.name for each in plan.policies}
    for index, route in enumerate(plan.routes):
        if route.policy not in policies:
            yield ("routes", index, "policy"), "a route to nowhere: " + _unknown("policy", route.policy, policies)
        yield from _matcher_problems(("routes", index, "match"), route.match)
        if _takes_everything(route) and not route.go_on and index + 1 < len(plan.routes):
            yield ("routes", index), "takes every alert, so the routes after it are never asked: expected it to be last"
    if not _takes_everything(plan.routes[-1]):
        last = len(plan.routes) - 1
        yield (
            ("routes", last),
            "alerts that match no route would be told to nobody: expected a last route without a match",
        )


def _takes_everything(route: Route) -> bool:
    return not route.matchers() and route.schedule is None


def _matcher_problems(path: Path, matchers: Iterable[Matcher]) -> Iterator[Problem]:
    for index, matcher in enumerate(matchers):
        if (expected := objection(matcher)) is not None:
            yield (*path, index), f"matcher on {matcher.label!r}: expected {expected}"


def _inhibition_problems(plan: Plan) -> Iterator[Problem]:
    for index, inhibition in enumerate(plan.inhibitions):
        yield from _matcher_problems(("inhibitions", index, "source"), inhibition.source)
        yield from _matcher_problems(("inhibitions", index, "target"), inhibition.target)
    if (circle := _circle(inhibitions_of(plan))) is not None:
        named = " → ".join(
            f"inhibition {index + 1}" if index < len(plan.inhibitions) else "built-in" for index in circle
        )
        yield (
            ("inhibitions", min(circle)),
            f"a cycle: {named}: each would hold back the cause of the next, and nobody be told: expected an order",
        )


def _circle(inhibitions: tuple[Inhibition, ...]) -> list[int] | None:
    """Return the indexes of inhibitions whose targets can be each other's sources, round to the first, if any."""
    numbers = range(len(inhibitions))
    fed_by = {
        one: [other for other in numbers if other != one and _feeds(inhibitions[other], inhibitions[one])]
        for one in numbers
    }
    try:
        TopologicalSorter(fed_by).prepare()
    except CycleError as error:
        circle: list[int] = error.args[1][:-1]
        first = circle.index(min(circle))
        return [*circle[first:], *circle[: first + 1]]
    return None


def _feeds(one: Inhibition, other: Inhibition) -> bool:
    """Tell whether an alert that ``one`` holds back may be a source of ``other``, as far as they name the same labels.

    What this cannot see is no danger: two alerts are never held because of each other (`holds.Holds`).
    """
    known = {each.label: each.value for each in other.source if each.operator is Operator.EQUALS}
    if all(each.label in known and matches(each, known) for each in one.source):
        return False  # a source of `one` is never its target
    shared = {each.label for each in one.target} & {each.label for each in other.source}
    return bool(shared) and all(_compatible(matcher, other.source, known) for matcher in one.target)


def _compatible(matcher: Matcher, others: Iterable[Matcher], known: Labels) -> bool:
    if matcher.label in known and matcher.label != "tag":
        return matches(matcher, known)
    if matcher.operator is Operator.EQUALS and matcher.label != "tag":
        return all(matches(each, {each.label: matcher.value}) for each in others if each.label == matcher.label)
    return True
