"""Which messages say something of now: judged by device instants and the order of arrival, from the journal alone.

A device's instant may lie behind the arrival for two reasons. Either the message was *stored and forwarded*: it is old.
Or the device's clock is wrong: the message is new. Both look alike in one message, so the messages around it decide:

- Stored messages follow an absence (nothing heard for `ABSENT`, or a device never heard before), and arrive within
  `STALL` of the return or of the last of them. Their instants lie in or after the absence, by the device's clock as it
  was known before; and they run faster than real time: their lag (`received_at - at`) shrinks by `GAIN` with every
  `STALL` of arrival, or messages on time come in between. Where the broker told of the absence and the device then
  spoke with a right clock, the first of them is proven; else the first is in doubt until the proof follows.
- A clock that is slow keeps its lag. Nothing can prove a steady lag to be stored, so it never is.

Example: a camera is away for 30 min. 29 min, 27 min, 25 min behind, all within a second: stored, from the second on.
6 min behind every 2 s: a slow clock. What is in doubt counts for rules that go by arrival; once it is proven to have
been stored, what only it has made pending is taken back. Running numbers prove nothing: a device that starts anew
starts them anew. Nor do lags on both sides of an instant at which our own wall clock was set.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum, auto

import msgspec

from alerts.memory import ClockTrack, DeviceState, Microseconds, RuleState
from alerts.model import Reason, Transition, TransitionKind
from core.clock import to_microseconds
from core.devices import Channel, DeviceKey
from core.observations import Observation

_SECOND = 1_000_000
# As long as decision 0003 lets a message be under way; a shorter absence cannot explain a late one.
ABSENT: Microseconds = 300 * _SECOND
# Ours: gateways begin to send what they kept within seconds of their return, and pause less than this between messages.
STALL: Microseconds = 60 * _SECOND
# Ours: at least twice as fast as real time, and more than what a device says between its boot and its link.
GAIN: Microseconds = 60 * _SECOND
# Ours: networks delay by seconds; nothing but a wrong clock is this far ahead.
AHEAD: Microseconds = 60 * _SECOND
# Ours: three messages over a minute that agree within a minute are no accident of the network.
STEADY: Microseconds = 60 * _SECOND
_STEADY_MESSAGES = 3
# Ours: two messages of a clock that was set back lie as far apart as their arrivals, but for a network's jitter.
_JITTER: Microseconds = _SECOND // 5
_LONGEST_JITTER: Microseconds = 5 * _SECOND
# A community whose time server fails has all its devices wrong at once.
NAMED_AT_MOST = 50
_AHEAD = timedelta(microseconds=AHEAD)
_UNITS = ((86_400, "天", "d"), (3_600, "小时", "h"), (60, "分钟", "min"), (1, "秒", "s"))
_NEVER = 0
_SAID_OF_NOW = (TransitionKind.FIRING, TransitionKind.REPEATED, TransitionKind.SEVERITY_CHANGED)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RuleState).decode


class Verdict(Enum):
    """What becomes of one message."""

    LIVE = auto()
    """It says how things are."""
    ARRIVAL = auto()
    """Its instant cannot be right, or may not be: rules that go by arrival take it as said now, others do not."""
    STORED = auto()
    """It was stored and forwarded, or overtaken: history."""


def is_plain(state: DeviceState, observation: Observation, newest: datetime | None, received: Microseconds) -> bool:
    """Tell whether nothing about ``observation`` is in question, and if so take note of it: no need to `judge` it.

    Nearly all messages are, so this is as short as it can be.
    """
    if (
        newest is not None
        and newest <= observation.at <= observation.received_at
        and state.track is None
        and received - state.arrived < ABSENT
        and not observation.late
        and observation.skew is None
    ):
        state.arrived = received
        return True
    return False


def judge(state: DeviceState, observation: Observation, newest: datetime | None, received: Microseconds) -> Verdict:
    """Return what becomes of ``observation``, which is not of presence; ``newest`` is the `moved` instant before it."""
    at, received_at = observation.at, observation.received_at
    returns = _arrive(state, received)
    overtaken = newest is not None and at < newest <= received_at
    plain = not (observation.late or overtaken) and observation.skew is None
    if state.track is None and plain and (at <= received_at or at - received_at <= _AHEAD):
        return Verdict.LIVE
    track, lag = _track(state, observation, received, returns=returns), _lag(observation, received)
    verdict = _weigh(state, track, observation, lag, received, overtaken=overtaken)
    if verdict is not Verdict.STORED:
        _measure(track, lag, received, wrong=_is_wrong(observation, lag))
        track.by_arrival = lag if verdict is Verdict.ARRIVAL and observation.late else _NEVER
    return verdict


def hear_birth(state: DeviceState, observation: Observation, received: Microseconds) -> None:
    """Take a birth, if it can have been said just now: the broker also repeats it to those who come later."""
    if abs(_lag(observation, received)) <= STALL:
        returns = _arrive(state, received)
        if state.track is not None:
            _on_time(state, _track(state, observation, received, returns=returns), received)


def hear_will(state: DeviceState, now: Microseconds) -> None:
    """Take the broker's word that the device is away."""
    state.track = state.track or ClockTrack()
    state.track.offline_at = now


def moved(newest: datetime | None, at: datetime, received_at: datetime) -> datetime:
    """Return the newest instant of a channel after a `Verdict.LIVE` message: never beyond its arrival.

    An instant ahead of its arrival counts as much before it: a clock that is set right again is not behind then.
    """
    known = at if at <= received_at else received_at - (at - received_at)
    return known if newest is None or newest > received_at or at < newest else max(newest, known)


def is_done(state: DeviceState) -> bool:
    """Tell whether the track of ``state`` says no more than none would."""
    track = state.track
    if track is None:
        return True
    if track.wrong or track.measured_wrong or track.offline_at or track.by_arrival:
        return False
    if (track.declared or track.doubted_at) and state.arrived <= state.returned_until:
        return False
    return not track.overtaken_at or track.overtaken_at + STALL < state.arrived


def keep_before(state: DeviceState, rules: Iterable[str]) -> None:
    """Keep what ``rules`` remember, while the message that they are about to take is in doubt."""
    track = state.track
    if track is not None and track.doubted_at and state.arrived <= state.returned_until:
        for rule in rules:
            if rule not in track.before:
                known = state.rules.get(rule)
                track.before[rule] = None if known is None else _decode(_encode(known))


def take_before(state: DeviceState) -> Mapping[str, RuleState | None]:
    """Return what rules remembered before the messages that are now proven to have been stored; empty without proof."""
    track = state.track
    if track is None or not (track.proven and track.before):
        return {}
    before, track.before = track.before, {}
    return before


def judged(observation: Observation, verdict: Verdict, state: DeviceState) -> Observation:
    """Return ``observation`` with the skew that its instant tells of, for the live view."""
    if observation.skew is not None or observation.channel is Channel.PRESENCE:
        return observation
    skew = observation.at - observation.received_at
    doubted = state.track is not None and state.track.doubted_at and not state.track.wrong
    if (verdict is Verdict.ARRIVAL and observation.late and not doubted) or skew > _AHEAD:
        return msgspec.structs.replace(observation, skew=skew)
    return observation


def remarked(transition: Transition, state: DeviceState, *, by_arrival: bool) -> Transition:
    """Return ``transition`` with a word on the device's clock, where its messages count by their arrival."""
    track = state.track
    if track is None or not track.by_arrival or not by_arrival or transition.kind not in _SAID_OF_NOW:
        return transition
    return msgspec.structs.replace(transition, reason=remark(transition.reason, track.by_arrival))


def remark(reason: Reason, lag: Microseconds) -> Reason:
    """Return ``reason`` with the words that the device's time was not believed."""
    zh, en = _off(lag)
    facts = {**reason.facts, "clock_skew_seconds": -lag / _SECOND}
    return Reason(
        reason.code,
        f"{reason.zh}（设备时钟{zh}，按收到时间处理，请校时）",
        f"{reason.en} (the device's clock is {en}: taken by its arrival; set that clock)",
        facts,
    )


def problems(wrong: Mapping[DeviceKey, Microseconds]) -> dict[str, str]:
    """Return the components ``device-clock/…`` of devices with a wrong clock, by how much they lag, and what to do.

    Of each community the first `NAMED_AT_MOST` of ``wrong`` are named; one component stands for all others.
    """
    told: dict[str, str] = {}
    counts: dict[str, int] = {}
    for device, lag in wrong.items():
        count = counts[device.community] = counts.get(device.community, 0) + 1
        if count <= NAMED_AT_MOST:
            zh, en = _off(lag)
            told[f"device-clock/{device.path}"] = (
                f"时钟{zh}，请校时并检查其时间服务器（NTP）与时区 / clock {en}: set it, check its time server and zone"
            )
    for community, count in counts.items():
        if count > NAMED_AT_MOST:
            more = count - NAMED_AT_MOST
            told[f"device-clock/{community}/system/clocks"] = (
                f"另有 {more} 台设备时钟不准，请检查小区的时间服务器（NTP） / "
                f"{more} more devices with a wrong clock: check the community's time server"
            )
    return told


def _arrive(state: DeviceState, received: Microseconds) -> bool:
    """Note an arrival; tell whether it is a return from an absence."""
    arrived, state.arrived = state.arrived, received
    if received - arrived < ABSENT:
        return False
    state.gap_from, state.returned_until = arrived, received + STALL
    return True


def _track(state: DeviceState, observation: Observation, received: Microseconds, *, returns: bool) -> ClockTrack:
    """Return the track of ``state``, made where there is none: then everything since a return was on time."""
    track, ahead = state.track, observation.wall_ahead
    if track is None:
        track = state.track = ClockTrack(right=not returns and received <= state.returned_until)
    elif returns:
        track.declared = track.offline_at > state.gap_from > _NEVER
        _doubt_anew(track)
    elif abs(ahead - track.wall_ahead) >= GAIN:
        # Our own clock was set meanwhile: lags before and after it prove nothing together.
        _doubt_anew(track)
    track.offline_at, track.wall_ahead = _NEVER, ahead
    return track


def _doubt_anew(track: ClockTrack) -> None:
    track.right = track.proven = False
    track.doubted_at = track.stored_until = _NEVER
    track.before = {}


def _lag(observation: Observation, received: Microseconds) -> Microseconds:
    if observation.skew is not None:
        return -(observation.skew // timedelta(microseconds=1))
    return received - to_microseconds(observation.at)


def _is_wrong(observation: Observation, lag: Microseconds) -> bool:
    return observation.late or observation.skew is not None or lag < -AHEAD


def _weigh(
    state: DeviceState,
    track: ClockTrack,
    observation: Observation,
    lag: Microseconds,
    received: Microseconds,
    *,
    overtaken: bool,
) -> Verdict:
    if observation.skew is not None:
        return Verdict.LIVE
    if not (observation.late or overtaken):
        _on_time(state, track, received)
        return Verdict.LIVE
    # An event that others came before, by seconds or minutes, is an event of now.
    if (observation.late or observation.channel is Channel.TELEMETRY) and _was_stored(state, track, lag, received):
        return Verdict.STORED
    if observation.late:
        return Verdict.ARRIVAL
    return _overtaken(track, observation.channel, lag, received)


def _on_time(state: DeviceState, track: ClockTrack, received: Microseconds) -> None:
    if received > state.returned_until:
        return
    track.right = True
    if track.doubted_at:
        _prove(track, received)


def _was_stored(state: DeviceState, track: ClockTrack, lag: Microseconds, received: Microseconds) -> bool:
    """Tell whether a message ``lag`` behind is proven to have been stored; note what it proves."""
    if received > state.returned_until:
        return False
    slow = max(track.wrong, 0)
    if slow and lag - slow <= ABSENT:
        return False
    if received - lag + slow < state.gap_from - STALL:
        return False
    if track.declared and track.right:
        _prove(track, received)
    elif not track.doubted_at:
        track.doubted_at, track.least_lag = received, lag
    elif lag <= track.least_lag - GAIN:
        track.least_lag = lag
        _prove(track, received)
    if received > track.stored_until:
        return False
    state.returned_until = received + STALL
    return True


def _prove(track: ClockTrack, received: Microseconds) -> None:
    track.proven, track.stored_until = True, received + STALL


def _overtaken(track: ClockTrack, channel: Channel, lag: Microseconds, received: Microseconds) -> Verdict:
    """Judge a message that is older than a newer one, but not late: was it overtaken, or was the clock set back?

    A second message with the same lag tells that it was set back, by less than what makes messages late.
    """
    before, since = track.overtaken_at, received - track.overtaken_at
    jitter = max(_JITTER, min(since // 4, _LONGEST_JITTER))
    if before and abs(lag - track.overtaken_lag) <= jitter:
        track.overtaken_at = _NEVER
        return Verdict.LIVE
    track.overtaken_at, track.overtaken_lag = received, lag
    # The next reading comes soon. An event may be the only one, and then it counts where silence would cost a life.
    return Verdict.ARRIVAL if channel is Channel.EVENT else Verdict.STORED


def _measure(track: ClockTrack, lag: Microseconds, received: Microseconds, *, wrong: bool) -> None:
    """Note whether the clock is steadily wrong, and by how much; or steadily right again."""
    agrees = wrong is track.measured_wrong and (not wrong or abs(lag - track.measured_lag) <= STEADY)
    if not (agrees and track.measured):
        track.measured, track.measured_wrong = 0, wrong
        track.measured_lag, track.measured_since = lag, received
    track.measured += 1
    if track.measured >= _STEADY_MESSAGES and received - track.measured_since >= STEADY:
        track.wrong = lag if wrong else _NEVER


def _off(lag: Microseconds) -> tuple[str, str]:
    """Return how far a clock is off, in words."""
    seconds, zh, en = next((unit for unit in _UNITS if abs(lag) >= unit[0] * _SECOND), _UNITS[-1])
    amount = f"{abs(lag) / _SECOND / seconds:.1f}".removesuffix(".0")
    return f"{'慢' if lag > 0 else '快'} {amount} {zh}", f"{amount} {en} {'slow' if lag > 0 else 'fast'}"
