"""Which lifts are to be asked for a test of their car alarm. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from core.devices import DeviceKey

# EN 81-28 / GB/T 24475-2023 want an automatic test call at least every 3 days. Ours: half a day before that is enough
# to ask several times, and late enough to leave alone every lift that tests by itself.
ASK_AFTER = timedelta(days=2, hours=12)
# A lift that is asked while its line is dead would otherwise call without end.
ASK_EVERY = timedelta(hours=1)


class AlarmTests(Struct, frozen=True):
    """What is known of the tests of one lift: the newest one heard, passed or failed, and the newest asked for."""

    lift: DeviceKey
    first_heard: datetime
    tested: datetime | None = None
    asked: datetime | None = None

    @property
    def ask_at(self) -> datetime:
        """When it is to be asked: a lift that never tested counts from its first word."""
        waited = max(self.first_heard, self.tested or self.first_heard) + ASK_AFTER
        return waited if self.asked is None else max(waited, self.asked + ASK_EVERY)


def due(lifts: Iterable[AlarmTests], now: datetime) -> list[AlarmTests]:
    """Return those to be asked at ``now``, the longest due first."""
    waiting = [each for each in lifts if each.ask_at <= now]
    return sorted(waiting, key=lambda each: (each.ask_at, each.lift.path))
