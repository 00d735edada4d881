"""Runs the test series of rule files: what an engine says to them, beside what was expected. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from alerts.engine import Engine
from alerts.inventory import Inventory
from alerts.model import Transition, TransitionKind
from alerts.rules.model import Rule
from alerts.rules.series import Expectation, RuleTest, TestDevice
from alerts.rules.series_checks import BEGINS, after, device_of, key_of, observations


class Difference(Struct, frozen=True):
    """Something expected that did not come, or something that came and was not expected; times count from the start."""

    expected: bool
    since: timedelta
    until: timedelta
    transition: str
    rule: str
    device: str
    severity: str
    reason: str


class TestResult(Struct, frozen=True):
    """How a test ended; it passed when there are no ``differences``. By rising time."""

    __test__ = False  # The name must not make pytest collect it.

    name: str
    differences: list[Difference]
    after_restarts: bool = False
    """Whether it went wrong only with a restart between all messages."""

    @property
    def passed(self) -> bool:
        return not self.differences


def run_series(test: RuleTest, rules: Sequence[Rule]) -> TestResult:
    """Run ``test`` (one without problems) over ``rules``: as it stands, and with restarts between all messages."""
    running = [rule for rule in rules if test.rules is None or rule.id in test.rules]
    differences = _compared(test, _said(test, running, restarting=False))
    if differences:
        return TestResult(test.name, differences)
    return TestResult(test.name, _compared(test, _said(test, running, restarting=True)), after_restarts=True)


def _said(test: RuleTest, rules: Sequence[Rule], *, restarting: bool) -> list[Transition]:
    engine = _engine(test, rules)
    states: dict[str, bytes] = {}
    said: list[Transition] = []
    for observation in observations(test):
        said += engine.observe(observation)
        if restarting:
            states = _kept(states, engine.dirty())
            engine = _engine(test, rules)
            engine.restore(states)
    said += engine.advance(_end(test))
    return [each for each in said if each.kind is not TransitionKind.PENDING]


def _engine(test: RuleTest, rules: Sequence[Rule]) -> Engine:
    """Return a new engine that knows what people told of the test's devices."""
    engine = Engine(rules)
    engine.set_inventory(Inventory({key_of(device): device.facts for device in test.devices}, 1))
    return engine


def _kept(states: Mapping[str, bytes], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return what lies on disk after ``changes``."""
    return {path: state for path, state in {**states, **changes}.items() if state is not None}


def _end(test: RuleTest) -> datetime:
    begins = test.begins or BEGINS
    if test.until is not None:
        return after(begins, test.until)
    heard = max(observation.received_at for observation in observations(test))
    return max([heard, *(after(begins, _bounds(expected)[1]) for expected in test.expect)])


def _bounds(expected: Expectation) -> tuple[str, str]:
    return expected.between or (expected.at or "0s", expected.at or "0s")


def _compared(test: RuleTest, said: Iterable[Transition]) -> list[Difference]:
    left = list(said)
    differences: list[Difference] = []
    for expected in test.expect:
        found = next((each for each in left if _matches(test, expected, each)), None)
        if found is None:
            differences.append(_missed(test, expected))
        else:
            left.remove(found)
    if test.expect_nothing_else:
        differences += [_unexpected(test, each) for each in left]
    return sorted(differences, key=lambda one: (one.since, not one.expected))


def _matches(test: RuleTest, expected: Expectation, said: Transition) -> bool:
    begins = test.begins or BEGINS
    first, last = _bounds(expected)
    device = device_of(test, expected.device)
    return (
        said.kind.value == expected.transition
        and said.rule == expected.rule
        and device is not None
        and said.device == key_of(device)
        and after(begins, first) <= said.at <= after(begins, last)
        and expected.severity in (None, said.severity)
        and (expected.reason is None or expected.reason in said.reason.zh or expected.reason in said.reason.en)
    )


def _missed(test: RuleTest, expected: Expectation) -> Difference:
    begins = test.begins or BEGINS
    first, last = _bounds(expected)
    device = device_of(test, expected.device) or TestDevice("?", test.devices[0].kind)
    return Difference(
        True,
        after(begins, first) - begins,
        after(begins, last) - begins,
        expected.transition,
        expected.rule,
        device.name,
        expected.severity.value if expected.severity else "",
        expected.reason or "",
    )


def _unexpected(test: RuleTest, said: Transition) -> Difference:
    at = said.at - (test.begins or BEGINS)
    return Difference(
        False, at, at, said.kind.value, said.rule, said.device.device, said.severity.value, said.reason.en
    )
