"""Matchers: how each compares, on labels that an alert has and on those it has not."""

import pytest

from alerts.inventory import DeviceFacts
from alerts.matchers import LABELS, Matcher, Operator, all_match, labels_of, matches, objection
from alerts.model import Severity
from core.devices import DeviceKey, DeviceKind

LIFT = DeviceKey("demo", DeviceKind.ELEVATOR, "lift-1")
FACTS = DeviceFacts(building="3", gateway="gw-1", tags=frozenset({"fire", "ground-floor"}))
KNOWN = labels_of("elevator-offline", Severity.MAJOR, LIFT, FACTS)
UNKNOWN = labels_of("elevator-offline", Severity.MAJOR, LIFT, DeviceFacts())


@pytest.mark.parametrize(
    ("label", "operator", "value", "known", "unknown"),
    [
        ("rule", "=", "elevator-offline", True, True),
        ("rule", "=", "elevator", False, False),
        ("rule", "!=", "elevator", True, True),
        ("rule", "like", "*-offline", True, True),
        ("rule", "like", "*-OFFLINE", False, False),
        ("rule", "unlike", "gate-*", True, True),
        ("severity", "in", "critical, major", True, True),
        ("severity", "in", "critical,minor", False, False),
        ("path", "=", "demo/elevator/lift-1", True, True),
        ("building", "=", "3", True, False),
        ("building", "=", "", False, True),
        ("gateway", "!=", "gw-1", False, True),
        ("tag", "=", "fire", True, False),
        ("tag", "=", "ground", False, False),
        ("tag", "!=", "fire", False, True),
        ("tags", "like", "*,ground-floor,*", True, False),
        ("colour", "=", "red", False, False),
    ],
)
def test_each_operator(label: str, operator: str, value: str, known: bool, unknown: bool) -> None:
    matcher = Matcher(label, value, Operator(operator))
    assert (matches(matcher, KNOWN), matches(matcher, UNKNOWN)) == (known, unknown)


def test_all_of_them_must_match_and_none_match_everything() -> None:
    one, other = Matcher("kind", "elevator"), Matcher("community", "elsewhere")
    assert all_match([one], KNOWN)
    assert not all_match([one, other], KNOWN)
    assert all_match([], KNOWN)


def test_every_label_that_may_be_matched_is_a_label_of_an_alert() -> None:
    assert set(KNOWN) == set(LABELS)


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (Matcher("rule", "x"), None),
        (Matcher("tag", "x", Operator.DIFFERS), None),
        (Matcher("tags", "*,x,*", Operator.LIKE), None),
        (Matcher("tag", "x", Operator.IN), "`=` or `!=` for a tag"),
        (
            Matcher("floor", "x"),
            "a label: one of rule, severity, community, kind, device, path, building, gateway, tag",
        ),
    ],
)
def test_what_can_never_make_sense_is_said(matcher: Matcher, expected: str | None) -> None:
    found = objection(matcher)
    assert (found is None) if expected is None else found == expected
