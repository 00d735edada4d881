"""What happened in a gap of the link and is heard late: events, and readings evaluated as a series of their own. Pure.

A *happening* is one event with its device instant, or the span in which late readings held a condition. Each is told
once: the marks of events (kind, identity, device instant) are kept for as long as one may come late, whether it was
told late or taken live, so a redelivery or a replay of history adds nothing. Of faults, episodes and controllers a
second beginning without an end between is the same one. Instants of happenings are the device's own; a happening ends
with the first end after it, whichever of both arrives first.

Example: a gate forced open at 14:02 and closed at 14:05, both heard at 14:14, is told at 14:14 as over. Without the
second event it is told as lasting, and a door closed at 14:20 makes it one that is over.
"""

from collections.abc import Iterator
from datetime import tzinfo

import msgspec
from msgspec import Struct

from alerts.memory import Heard, Leaf, Microseconds
from alerts.policy import Policy
from alerts.trees import CompiledRule, Leaves
from alerts.watches.events import Event, enders, event_of, identity
from alerts.watches.happenings import EventWatch
from alerts.watches.watch import OwnWatch, Reading, Sentence
from alerts.watches.windows import INSTANT, KNOWN, mark_of
from alerts.words import FAULT_SEPARATOR, event_names, happened_names
from core.clock import from_microseconds, to_microseconds
from core.devices import Channel
from core.observations import Observation

# Ours: longer than any policy waits before its first notification; then it is for the record.
OVER_FOR: Microseconds = 600_000_000
# Ours: a longer hole in late readings says nothing of the time between.
SERIES_BREAK: Microseconds = 300_000_000
# Ours: what was buffered is sent with pauses shorter than this (as `alerts.clocks.STALL`).
BURST: Microseconds = 60_000_000
# Ours: a device that replays a day of its history has fewer vital events than this; the oldest are forgotten first.
_MARKS = 64
# Ours: a person reads three, and how many there are.
_KEPT, _NAMED = 16, 3
_NEVER = 0
_BEGIN, _END = "begin\x1f", "end\x1f"


class Happening(Struct, array_like=True):
    """One thing that happened. Instants are the device's, but for ``heard_at`` and ``until``, which are ours."""

    name: str
    """The identity of a fault, episode or controller; else empty."""
    kind: str
    """The type of the event; empty for readings."""
    zh: str
    en: str
    at: Microseconds
    heard_at: Microseconds
    until: Microseconds
    """When it is no longer worth telling."""
    ended_at: Microseconds = _NEVER
    exact: bool = True
    """Whether ``ended_at`` is its end; else an end known before, by which it was over."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Happening]).decode


def _begun(event: Event) -> str:
    """Return what the mark of a beginning is called: by identity, by the type where there is none."""
    return identity(event) or f"{FAULT_SEPARATOR}{event.type.value}"


def happenings(leaf: Leaf) -> list[Happening]:
    """Return what ``leaf`` tells of, in the order of hearing."""
    return _decode(leaf.opened) if leaf.opened else []


class LateWatch(OwnWatch):
    """Holds while a late happening is to be told; ``raw`` says whether one of them is not known to be over.

    ``flips_at`` is when one was heard that the alert has not told yet.
    """

    code = "late"
    timed = True

    def __init__(self, policy: Policy, lasting: Microseconds, zone: tzinfo) -> None:
        self._within = policy.tells_late or _NEVER
        self._calendar = policy.calendar
        self._lasting = lasting or self._within
        self._zone = zone

    def begin(self) -> Leaf:
        return Leaf()

    def take_repeat(self, leaf: Leaf) -> bool:
        again, leaf.flips_at = leaf.flips_at > 0, _NEVER
        return again

    def due(self, leaf: Leaf, _heard: Heard) -> Microseconds:
        return min((each.until for each in happenings(leaf)), default=_NEVER)

    def expire(self, leaf: Leaf, now: Microseconds, _heard: Heard) -> None:
        if leaf.opened:
            self._keep(leaf, happenings(leaf), now)

    def forget(self, leaf: Leaf) -> None:
        leaf.truth, leaf.raw, leaf.opened = False, False, b""

    def rests(self, leaf: Leaf, now: Microseconds) -> bool:
        """Tell whether nothing is told, and nothing that ``leaf`` knows can come late any more."""
        return not leaf.opened and leaf.changed_at + self._within < now

    def tell(self, leaf: Leaf) -> Sentence:
        found = sorted(happenings(leaf), key=lambda each: each.at)
        if not found:
            return "没有迟到的事件", "nothing that came late"
        told = [self._told(each) for each in found[-_NAMED:]]
        more = len(found) - len(told)
        zh, en = "；".join(zh for zh, _ in told), "; ".join(en for _, en in told)
        return (f"{zh}；此前还有 {more} 次", f"{en}; and {more} before") if more else (zh, en)

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        found = happenings(leaf)
        if not found:
            return {}
        first, last = min(found, key=lambda each: each.at), max(found, key=lambda each: each.at)
        facts: dict[str, str | float | int | bool] = {"happened_at": from_microseconds(first.at).isoformat()}
        if all(each.ended_at for each in found):
            facts["ended_at"] = from_microseconds(max(each.ended_at for each in found)).isoformat()
        if len(found) > 1:
            facts["happenings"] = len(found)
        return facts | self._facts_of(last)

    def _facts_of(self, _happening: Happening) -> dict[str, str | float | int | bool]:
        return {}

    def _told(self, happening: Happening) -> Sentence:
        zh, en = happened_names(
            happening.at, happening.ended_at, happening.heard_at, exact=happening.exact, zone=self._zone
        )
        return f"{happening.zh}，{zh}", f"{happening.en}, {en}"

    def _tell_of(self, leaf: Leaf, happening: Happening, now: Microseconds) -> None:
        leaf.flips_at = now
        self._keep(leaf, [*happenings(leaf), happening][-_KEPT:], now)

    def _end(self, leaf: Leaf, name: str, at: Microseconds, now: Microseconds, *, exact: bool = True) -> None:
        """Let what began before ``at`` be over by then: that of ``name``, of its source, or all where it names none."""
        found = happenings(leaf)
        for each in found:
            if each.at <= at and name in enders(each.name) and not 0 < each.ended_at <= at:
                each.ended_at, each.exact, each.until = at, exact, min(each.until, each.heard_at + OVER_FOR)
        self._keep(leaf, found, now)

    def _keep(self, leaf: Leaf, found: list[Happening], now: Microseconds) -> None:
        left = [each for each in found if each.until > now]
        leaf.opened = _encode(left) if left else b""
        leaf.truth, leaf.raw = bool(left), any(not each.ended_at for each in left)


class LateEventWatch(LateWatch):
    """Tells of late events that the rule's ``watch`` is about; ``window`` holds the marks of all, late or not."""

    channels = frozenset({Channel.EVENT})

    def __init__(self, watch: EventWatch, policy: Policy, zone: tzinfo) -> None:
        super().__init__(policy, watch.resolve_after, zone)
        self._watch = watch

    @property
    def compares(self) -> tuple[str, ...] | None:
        return ()

    def observe(
        self, leaf: Leaf, observation: Observation, _reading: Reading, now: Microseconds, _heard: Heard
    ) -> None:
        event = event_of(observation.body)
        if event is None:
            return
        if not self.concerns(event):
            return
        ahead, name = observation.wall_ahead, identity(event)
        at = min(to_microseconds(observation.at), now) + ahead
        marks = _Marks(leaf.window, now + ahead - self._within)
        if not self._watch.filter.accepts(event):
            self._end(leaf, name, at, now)
            marks.end(name, at)
        elif not marks.has(_begun(event), at):
            in_force = self._calendar is None or self._calendar.active_at(at)
            if observation.late and in_force and not marks.goes_on(name, at, self._lasting):
                zh, en = event_names(event.type.value, name)
                happening = Happening(name, event.type.value, zh, en, at, now + ahead, now + self._lasting)
                if end := marks.ended(name, at):
                    happening.ended_at, happening.exact, happening.until = end, False, now + OVER_FOR
                self._tell_of(leaf, happening, now)
            marks.begin(_begun(event), at)
        leaf.window = marks.packed()
        leaf.changed_at = max(leaf.changed_at, at - ahead)

    def concerns(self, event: Event) -> bool:
        """Tell whether ``event`` begins or ends what is told."""
        return self._watch.filter.accepts(event) or event.type in self._watch.clears_on

    def knows(self, leaf: Leaf, observation: Observation) -> bool:
        """Tell whether ``observation`` begins what it has begun before."""
        event = event_of(observation.body)
        if event is None or not leaf.window or not self._watch.filter.accepts(event):
            return False
        at = to_microseconds(observation.at) + observation.wall_ahead
        return _Marks(leaf.window, _NEVER).has(_begun(event), at)

    def knows_end(self, leaf: Leaf, observation: Observation) -> bool:
        """Tell whether what ``observation`` begins is known to have ended since."""
        event = event_of(observation.body)
        at = to_microseconds(observation.at) + observation.wall_ahead
        return event is not None and _Marks(leaf.window, _NEVER).ended(identity(event), at) > _NEVER

    def _facts_of(self, happening: Happening) -> dict[str, str | float | int | bool]:
        return self._watch.facts_of(Leaf(value=happening.kind), happening.name)


class LateSeriesWatch(LateWatch):
    """Tells of spans in which late readings held the conditions of ``rule``, for as long as it asks (``for``).

    The readings are evaluated in the order of their instants, with those as the time. ``inner`` is the memory of the
    rule's own watches, ``changed_at`` the newest reading, ``window`` since when the conditions hold. A reading that is
    no newer was evaluated before. Readings of now only end what is told; they go on with that memory, for a median or a
    rate says nothing of the first of them.
    """

    channels = frozenset({Channel.TELEMETRY})

    def __init__(self, rule: CompiledRule, zone: tzinfo) -> None:
        super().__init__(rule.policy, _NEVER, zone)
        self._rule = rule
        self._read = rule.by_channel[Channel.TELEMETRY]

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        at = min(to_microseconds(observation.at), now)
        if not observation.late:
            if leaf.raw:
                self._take_live(leaf, observation, reading, now, heard)
        elif at > leaf.changed_at:
            if not leaf.inner or at - leaf.changed_at > SERIES_BREAK:
                leaf.inner, leaf.window = self._rule.begin(), b""
            leaf.changed_at = at
            self._read_one(leaf.inner, observation, reading, at, heard)
            self._judge(leaf, observation, at, now)

    def _read_one(
        self, leaves: Leaves, observation: Observation, reading: Reading, at: Microseconds, heard: Heard
    ) -> None:
        for index in self._read:
            self._rule.watches[index].expire(leaves[index], at, heard)
            self._rule.watches[index].observe(leaves[index], observation, reading, at, heard)

    def _take_live(
        self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard
    ) -> None:
        """End what is told where the present shows nothing of it, once the burst of late readings has arrived."""
        wall = now + observation.wall_ahead
        if wall < max(each.heard_at for each in happenings(leaf)) + BURST:
            return
        self._read_one(leaf.inner, observation, reading, now, heard)
        if not self._rule.opens(leaf.inner):
            leaf.window = b""
            self._end(leaf, "", wall, now, exact=False)

    def _judge(self, leaf: Leaf, observation: Observation, at: Microseconds, now: Microseconds) -> None:
        ahead = observation.wall_ahead
        if not self._rule.opens(leaf.inner):
            leaf.window = b""
            self._end(leaf, "", at + ahead, now)
            return
        since: Microseconds = INSTANT.unpack(leaf.window)[0] if leaf.window else at
        leaf.window = INSTANT.pack(since)
        lasted = at - since >= self._rule.policy.lasting or self._rule.urgent(leaf.inner)
        in_force = self._calendar is None or self._calendar.active_at(since + ahead)
        if leaf.raw:
            self._hear_on(leaf, now + ahead)
        elif lasted and in_force:
            because = [self._rule.watches[index].tell(leaf.inner[index]) for index in self._rule.because(leaf.inner)]
            zh, en = "，".join(zh for zh, _ in because), ", ".join(en for _, en in because)
            happening = Happening("", "", zh, en, since + ahead, now + ahead, now + self._lasting)
            self._tell_of(leaf, happening, now)

    def _hear_on(self, leaf: Leaf, heard_at: Microseconds) -> None:
        """Let what is told and not over have been heard of at ``heard_at``: the burst has not ended yet."""
        found = happenings(leaf)
        for each in found:
            each.heard_at = each.heard_at if each.ended_at else heard_at
        leaf.opened = _encode(found)


class _Marks:
    """Beginnings and ends by device instant, those before ``since`` left out; of ends the newest of each name."""

    def __init__(self, packed: bytes, since: Microseconds) -> None:
        self._marks = [each for each in KNOWN.iter_unpack(packed) if each[1] >= since]

    def has(self, name: str, at: Microseconds) -> bool:
        """Tell whether the event that began ``name`` at that instant is known."""
        return (mark_of(_BEGIN + name), at) in self._marks

    def ended(self, name: str, at: Microseconds) -> Microseconds:
        """Return an instant at or after ``at`` by which ``name`` had ended; 0 where none is known."""
        return next((end for end in self._ends(name) if end >= at), _NEVER)

    def goes_on(self, name: str, at: Microseconds, lasting: Microseconds) -> bool:
        """Tell whether ``name`` had begun before ``at``, or had not ended between ``at`` and its next beginning.

        What is not told again for ``lasting`` is over by then, for the end of a fault sometimes never comes.
        """
        if not name:
            return False
        mark, ends = mark_of(_BEGIN + name), list(self._ends(name))
        near = [instant for known, instant in self._marks if known == mark and abs(instant - at) < lasting]
        before = max((instant for instant in near if instant <= at), default=_NEVER)
        after = min((instant for instant in near if instant > at), default=_NEVER)
        if before and not any(before <= end <= at for end in ends):
            return True
        return after > _NEVER and not any(at <= end < after for end in ends)

    def begin(self, name: str, at: Microseconds) -> None:
        """Take note that ``name`` began."""
        self._marks.append((mark_of(_BEGIN + name), at))

    def end(self, name: str, at: Microseconds) -> None:
        """Take note that ``name`` ended: all things of a source, or of that kind where it is empty."""
        mark = mark_of(_END + name)
        newest = max([at, *(instant for known, instant in self._marks if known == mark)])
        self._marks = [each for each in self._marks if each[0] != mark]
        self._marks.append((mark, newest))

    def packed(self) -> bytes:
        """Return what the next message finds."""
        return b"".join(KNOWN.pack(*each) for each in self._marks[-_MARKS:])

    def _ends(self, name: str) -> Iterator[Microseconds]:
        marks = {mark_of(_END + end) for end in enders(name)}
        return (instant for known, instant in self._marks if known in marks)
