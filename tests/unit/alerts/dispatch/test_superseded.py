"""Reminders that were overtaken before anybody heard them are not sent; everything else is."""

import pytest

from alerts.dispatch import notes
from alerts.dispatch.model import Intent, Purpose
from alerts.dispatch.speaking import Decision, intent_id
from alerts.dispatch.superseded import without_superseded
from alerts.model import Severity
from core.clock import to_microseconds
from tests.unit.alerts.dispatch.scene import instant

REMINDER, FIRING, RESOLVED, ESCALATION = Purpose.REMINDER, Purpose.FIRING, Purpose.RESOLVED, Purpose.ESCALATION
Said = tuple[str, int, Purpose, str]
"""Incident, version, purpose, receiver."""


def decision(said: list[Said]) -> Decision:
    """Return a decision in which version N is said N minutes after the start, with a note for each."""
    found = Decision()
    for incident, version, purpose, receiver in said:
        at = instant(60 * version)
        found.intents.append(
            Intent(
                intent_id(incident, version, receiver), incident, version, receiver, purpose, Severity.MAJOR, at, 0,
                "demo", (), 0,
            )
        )  # fmt: skip
        found.notes.append(notes.told("a1", purpose, {receiver: ""}, incident, 0, to_microseconds(at)))
    return found


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        pytest.param([("i", 1, REMINDER, "li"), ("i", 2, REMINDER, "li")], [1], id="the newest reminder is enough"),
        pytest.param([("i", 1, REMINDER, "li"), ("i", 2, RESOLVED, "li")], [1], id="over before the reminder was said"),
        pytest.param(
            [("i", 1, REMINDER, "li"), ("i", 2, REMINDER, "wang")], [0, 1], id="another shift, another person"
        ),
        pytest.param([("i", 1, REMINDER, "li"), ("j", 2, REMINDER, "li")], [0, 1], id="two incidents"),
        pytest.param([("i", 1, FIRING, "li"), ("i", 2, ESCALATION, "li")], [0, 1], id="no reminders"),
        pytest.param([("i", 1, RESOLVED, "li"), ("i", 2, FIRING, "li")], [0, 1], id="an end is always said"),
        pytest.param([("i", 1, FIRING, "li"), ("i", 2, REMINDER, "li")], [0, 1], id="first words and one reminder"),
    ],
)
def test_what_is_still_said(said: list[Said], kept: list[int]) -> None:
    before = decision(said)
    after = without_superseded(before)
    assert after.intents == [before.intents[index] for index in kept]
    assert after.notes == [before.notes[index] for index in kept]
