"""The conditions that nothing was heard, that the broker says a device is gone, or that some event does not come."""

from alerts.memory import Heard, Leaf, Microseconds
from alerts.rules.conditions import Missing, Rhythm
from alerts.watches.events import event_of
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import INSTANT
from alerts.words import duration_names, event_words, span_names
from core.clock import to_microseconds
from core.devices import Channel
from core.durations import microseconds
from core.observations import Observation
from core.wire.payloads import Presence, PresenceStatus

_NEVER = 0
# Ours: a day and a night, in which a device shows its longest gaps.
_LEARNS_FOR = 86_400_000_000
# Ours: after a weekend of short gaps more than half of the longest is left, and several times that still covers it.
_FADES_BY_HALF = 3 * 86_400_000_000


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

    @property
    def compares(self) -> tuple[str, ...] | None:
        # A message ends an *offline* whatever it says, and is looked at in full after one.
        return None if self._nothing_for else ()

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

    def doubt_offline(self, leaf: Leaf, now: Microseconds) -> bool:
        """Let an *offline* count from ``now`` on, unless it holds already; tell whether there was one."""
        if not leaf.raw or leaf.truth:
            return False
        leaf.changed_at = max(leaf.changed_at, now)
        return True

    def due(self, leaf: Leaf, heard: Heard) -> Microseconds:
        if leaf.truth:
            return _NEVER
        silent = self._silent_at(leaf, heard)
        gone = self._gone_at(leaf)
        return min(silent, gone) if silent and gone else silent or gone

    def expire(self, leaf: Leaf, now: Microseconds, heard: Heard) -> None:
        leaf.truth = self._holds(leaf, now, heard)

    def tell(self, leaf: Leaf) -> Sentence:
        if not leaf.truth:
            return "设备有消息", "the device is heard"
        if leaf.value == "offline":
            zh, en = duration_names(self._offline_for)
            return f"设备已离线 {zh}", f"offline for {en}"
        zh, en = duration_names(self._wait(leaf))
        return f"{zh}未收到消息", f"nothing heard for {en}"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {"missing": str(leaf.value)} if leaf.truth else {}

    def _holds(self, leaf: Leaf, now: Microseconds, heard: Heard) -> bool:
        if 0 < self._gone_at(leaf) <= now:
            leaf.value = "offline"
            return True
        if 0 < self._silent_at(leaf, heard) <= now:
            leaf.value = "silent"
            return True
        return False

    def _wait(self, _leaf: Leaf) -> Microseconds:
        return self._nothing_for

    def _silent_at(self, leaf: Leaf, heard: Heard) -> Microseconds:
        since: Microseconds = getattr(heard, self._heard_on)
        return since + self._wait(leaf) if self._nothing_for else _NEVER

    def _gone_at(self, leaf: Leaf) -> Microseconds:
        return leaf.changed_at + self._offline_for if self._offline_for and leaf.raw else _NEVER


class RhythmWatch(SilenceWatch):
    """Silence of a device that sends when something changes: several times its usual longest gap between messages.

    ``inner`` remembers when (ours) it was last heard and, as its value in microseconds, the longest gap, which fades by
    half in `_FADES_BY_HALF`; so the nights of the last days count, and a single one is forgotten in a week or two. A
    gap that was told as silence is learned only up to the time at which it was told. ``window`` tells since when.
    """

    def __init__(self, condition: Missing, rhythm: Rhythm) -> None:
        super().__init__(condition)
        self._times = rhythm.times
        self._at_most = microseconds(rhythm.at_most)

    def begin(self) -> Leaf:
        return Leaf(inner=(Leaf(value=0.0),))

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        if self._hears(observation):
            self._learn(leaf, now)
        super().observe(leaf, observation, reading, now, heard)

    def doubt_offline(self, leaf: Leaf, now: Microseconds) -> bool:
        """Do as `SilenceWatch` does; for some time nothing could be heard, and that is no gap of the device's."""
        leaf.inner[0].changed_at = now
        return super().doubt_offline(leaf, now)

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en = super().tell(leaf)
        if leaf.value != "silent" or not leaf.truth:
            return zh, en
        if not self._is_learned(leaf):
            return f"{zh}（平时间隔尚在学习）", f"{en} (its usual gaps are still being learned)"
        usual_zh, usual_en = duration_names(round(_longest(leaf) / 1_000_000) * 1_000_000)
        return f"{zh}（平时最长间隔约 {usual_zh}）", f"{en} (its longest gap is usually about {usual_en})"

    def _hears(self, observation: Observation) -> bool:
        body = observation.body
        if isinstance(body, Presence) and body.status is PresenceStatus.OFFLINE:
            return False
        return self._heard_on in ("anything", observation.channel.value)

    def _learn(self, leaf: Leaf, now: Microseconds) -> None:
        (memory,) = leaf.inner
        if not leaf.window:
            leaf.window = INSTANT.pack(now)
        elif now > memory.changed_at:
            gap = now - memory.changed_at
            faded = _longest(leaf) * 0.5 ** (gap / _FADES_BY_HALF)
            memory.value = max(faded, float(min(gap, self._wait(leaf))))
        memory.changed_at = now

    def _wait(self, leaf: Leaf) -> Microseconds:
        if not self._is_learned(leaf):
            return self._at_most
        return max(self._nothing_for, min(round(self._times * _longest(leaf)), self._at_most))

    def _is_learned(self, leaf: Leaf) -> bool:
        began = INSTANT.unpack(leaf.window)[0] if leaf.window else _NEVER
        return began > _NEVER and leaf.inner[0].changed_at >= began + _LEARNS_FOR


class AbsenceWatch(OwnWatch):
    """Holds after ``nothing_for`` without an event of ``types``, whatever else is heard.

    ``changed_at`` is when the last one happened, or since when one is waited for. A device that falls silent as a whole
    cannot send it either, so this holds then as well. With ``once_heard`` nothing is waited for before the first one.
    """

    code = "missing"
    timed = True
    channels = frozenset({Channel.EVENT})

    def __init__(self, condition: Missing) -> None:
        self._nothing_for = microseconds(condition.nothing_for)
        self._types = frozenset(condition.types)
        self._name = ",".join(sorted(self._types))
        self._once_heard = condition.once_heard
        self._waits_for = f"{self._name} once heard" if condition.once_heard else self._name

    def begin(self) -> Leaf:
        return Leaf(value=self._waits_for)

    def wait_from(self, leaf: Leaf, since: Microseconds) -> bool:
        """Wait from ``since`` on, if nothing says since when and no first event is waited for; tell whether so."""
        if leaf.changed_at or self._once_heard:
            return False
        leaf.changed_at = since
        return True

    def wait_longer(self, leaf: Leaf, by: Microseconds, now: Microseconds) -> None:
        """Wait longer, because for some time nobody could hear the event; what is already missing stays so."""
        if leaf.changed_at and not leaf.truth:
            leaf.changed_at = min(leaf.changed_at + by, now)

    def observe(
        self, leaf: Leaf, observation: Observation, _reading: Reading, now: Microseconds, _heard: Heard
    ) -> None:
        event = event_of(observation.body)
        if event is not None and event.type in self._types:
            leaf.changed_at = max(leaf.changed_at, min(to_microseconds(observation.at), now))
            leaf.truth = self._holds(leaf, now)

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        return _NEVER if leaf.truth or not leaf.changed_at else leaf.changed_at + self._nothing_for

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        leaf.truth = self._holds(leaf, now)

    def take_over(self, leaf: Leaf, before: Leaf) -> None:
        """Take into ``leaf`` when the last one happened from the memory ``before`` of a rule that was changed."""
        if before.value == self._waits_for:
            leaf.changed_at = before.changed_at

    def tell(self, leaf: Leaf) -> Sentence:
        zh, en = event_words(self._types)
        if not leaf.truth:
            return f"按时收到：{zh}", f"heard in time: {en}"
        span_zh, span_en = span_names(self._nothing_for)
        return f"{span_zh}内未收到：{zh}", f"not heard for {span_en}: {en}"

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        return {"missing": self._name} if leaf.truth else {}

    def _holds(self, leaf: Leaf, now: Microseconds) -> bool:
        return 0 < leaf.changed_at <= now - self._nothing_for


def _longest(leaf: Leaf) -> float:
    longest = leaf.inner[0].value
    return longest if isinstance(longest, float) else 0.0
