"""The alarm of a car: its daily test call, which it also makes when it is asked."""

import random
from datetime import datetime, timedelta

from core.wire.payloads import ElevatorEventType

# Ours: a third of what EN 81-28 / GB/T 24475-2023 allow, so that one lost message raises nothing.
TEST_EVERY = timedelta(days=1)


class CarAlarm:
    """The alarm of the lift ``path``; each lift has its own hour of the day for the test."""

    def __init__(self, path: str, start: datetime) -> None:
        # Not from the lift's own chance: the same seed goes on to simulate the same rides.
        hour = random.Random(f"{path}/alarm").uniform(0.01, 1.0)  # noqa: S311 (a simulation, not a secret)
        self.next_test_at = start + TEST_EVERY * hour
        self._broken = False

    def test(self, now: datetime) -> ElevatorEventType:
        """Make a test call now, and return how it ended; the next one is due a day later."""
        self.next_test_at = now + TEST_EVERY
        return ElevatorEventType.ALARM_TEST_FAILED if self._broken else ElevatorEventType.ALARM_TESTED

    def set_broken(self, *, broken: bool) -> None:
        """Cut or mend its line."""
        self._broken = broken
