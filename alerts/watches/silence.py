"""The condition that nothing was heard, or that the broker says a device is gone."""

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import Missing
from alerts.watches.watch import OwnWatch, Reading, Sentence
from core.devices import Channel
from core.durations import microseconds
from core.observations import Observation
from core.wire.payloads import Presence, PresenceStatus

_NEVER = 0


class SilenceWatch(OwnWatch):
    """Holds after ``nothing_for`` without a message, or ``offline_for`` after an *offline* that nothing has followed.

    ``raw`` remembers the *offline*. Any live message ends it: a device that speaks is there, whatever its will said.
    """

    code = "missing"
    timed = True
    channels = frozenset(Channel)

    def __init__(self, condition: Missing) -> None:
        self._nothing_for = microseconds(condition.nothing_for)
        self._offline_for = microseconds(condition.offline_for)
        self._heard_on = "anything" if condition.channel is None else condition.channel.value

    def begin(self) -> Leaf:
        return Leaf()

    def observe(self, leaf: Leaf, observation: Observation, _reading: Reading, now: Microseconds, heard: Heard) -> None:
        body = observation.body
        if isinstance(body, Presence):
            offline = body.status is PresenceStatus.OFFLINE
            if offline and not leaf.raw:
                leaf.changed_at = now
            leaf.raw = offline
        elif not observation.late:
            leaf.raw = False
        leaf.truth = self._holds(leaf, now, heard)

    def due(self, leaf: Leaf, heard: Heard) -> Microseconds:
        if leaf.truth:
            return _NEVER
        silent = self._silent_at(heard)
        gone = self._gone_at(leaf)
        return min(silent, gone) if silent and gone else silent or gone

    def expire(self, leaf: Leaf, now: Microseconds, heard: Heard) -> None:
        leaf.truth = self._holds(leaf, now, heard)

    def tell(self, leaf: Leaf) -> Sentence:
        if not leaf.truth:
            return "设备有消息", "the device is heard"
        if leaf.value == "offline":
            return f"设备已离线 {_seconds(self._offline_for)} 秒", f"offline for {_seconds(self._offline_for)} s"
        return f"{_seconds(self._nothing_for)} 秒未收到消息", f"nothing heard for {_seconds(self._nothing_for)} s"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {"missing": str(leaf.value)} if leaf.truth else {}

    def _holds(self, leaf: Leaf, now: Microseconds, heard: Heard) -> bool:
        if 0 < self._gone_at(leaf) <= now:
            leaf.value = "offline"
            return True
        if 0 < self._silent_at(heard) <= now:
            leaf.value = "silent"
            return True
        return False

    def _silent_at(self, heard: Heard) -> Microseconds:
        since: Microseconds = getattr(heard, self._heard_on)
        return since + self._nothing_for if self._nothing_for else _NEVER

    def _gone_at(self, leaf: Leaf) -> Microseconds:
        return leaf.changed_at + self._offline_for if self._offline_for and leaf.raw else _NEVER


def _seconds(duration: Microseconds) -> str:
    return f"{duration / 1_000_000:g}"
