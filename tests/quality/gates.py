"""Worlds of gates: comings and goings all day, wind, moves and cleaners, and now and then something that is one.

``first_sign``: the arrival of the first message that speaks of it. For a forced entry this is the forced opening or the
opening without a grant; for a door held open the controller's word or, of makes without it, the opening that lasts.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from heapq import merge
from random import Random

from msgspec import Struct, field, structs

from alerts.inventory import DeviceFacts
from core.devices import Channel, DeviceKey, DeviceKind
from core.wire.payloads import GateEventType
from tests.quality.gate_days import KINDS, Life, granted, passages
from tests.quality.gate_doors import MAKES, Act, Controller, Door, Signs
from tests.quality.links import Emission, Outage, deliver, draw_link, link_incidents
from tests.quality.model import COMMUNITY, Incident, IncidentKind, Span, Station, World
from tests.quality.outages import outage, with_outages
from tests.quality.weather import Weather

# A message that comes this much later than one sent after it was written.
_BEHIND_SECONDS = (1.2, 2.0)
_GAP_SECONDS = 720.0
# Nobody takes longer over what a duress code was asked for.
_DURESS_SECONDS = 600.0


class _Truth(Struct):
    """The incidents of a gate, and what they need of its links."""

    life: Life
    incidents: list[Incident] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    behind: list[Emission] = field(default_factory=list)
    """What goes another, slower way than the rest of the gate's messages."""

    def incident(self, kind: IncidentKind, door: Door, since: float, until: float, variant: str) -> Incident:
        span = self.life.controller.span
        began, ended = (span.since + timedelta(seconds=seconds) for seconds in (since, until))
        incident = Incident(
            kind=kind, device=self.life.device, part=door.name, began=began, ended=ended, variant=variant
        )
        self.incidents.append(incident)
        return incident


def gate_worlds(seed: int, count: int, span: Span) -> Iterator[World]:
    """Yield ``count`` gates; makes take turns, everything else is drawn by ``seed``."""
    for number in range(1, count + 1):
        yield _world(Random(f"{seed}-gate-{number}"), number, span)


def _world(rng: Random, number: int, span: Span) -> World:
    device = DeviceKey(COMMUNITY, DeviceKind.GATE, f"gate-{number:03}")
    make = MAKES[(number - 1) % len(MAKES)]
    controller = Controller(make, span, rng.choice((1, 1, 2, 3)), rng.choice((20.0, 30.0, 60.0)))
    life = Life(device, controller, Weather(rng, span))
    truth = _Truth(life)
    passages(rng, life)
    for happen in _INCIDENTS:
        happen(rng, truth)
    for draw in KINDS:
        draw(rng, life)
    weak = rng.random() < 0.25
    link = draw_link(rng, span, weak=weak)
    link = with_outages(link, truth.outages)
    ways = [deliver(device, controller.emissions(), link, span, Random(rng.random()))]
    if truth.behind:
        truth.behind.sort(key=lambda emission: emission.at)
        slow = structs.replace(link, presence=False, delay_seconds=_BEHIND_SECONDS, loss_share=0.0)
        ways.append(
            deliver(
                device,
                truth.behind,
                slow,
                span,
                Random(rng.random()),
            )
        )
    return World(
        station=Station(
            device=device,
            facts=DeviceFacts(name_zh=f"{number} 号门", name_en=f"gate {number}"),
            make=make.name,
            pace="on-change" + ("+weak-link" if weak else ""),
        ),
        messages=merge(*ways),
        incidents=[*truth.incidents, *link_incidents(device, link, span)],
        disturbances=life.disturbances,
    )


def _forced_entries(rng: Random, truth: _Truth) -> None:
    """Somebody breaks a door open; it falls shut after 20 to 120 s, or stands open until it is found."""
    for day, door in _days(rng, truth, 1.5):
        night, left = rng.random() < 0.5, rng.random() < 0.3
        t = truth.life.weather.at_local(day, rng.uniform(0, 5) if night else rng.uniform(6, 23))
        seconds = rng.uniform(3_600, 18_000) if left else rng.uniform(20, 120)
        if truth.life.occupy(door, t - 90, t + seconds):
            variant = ("left-open" if left else "shut-again") + ("-at-night" if night else "")
            incident = truth.incident(IncidentKind.FORCED_ENTRY, door, t, t + seconds, variant)
            truth.life.controller.clear(door, t - 90, t + min(seconds, 150))
            truth.life.controller.at(t, door, _break_open(seconds, incident))


def _break_open(seconds: float, incident: Incident) -> Act:
    def act(door: Door, t: float) -> None:
        door.say(t, GateEventType.FORCED_OPEN, (incident,))
        door.open(t + 0.05, seconds, (incident,), (incident,))

    return act


def _duress(rng: Random, truth: _Truth) -> None:
    """A code under duress: told in order, a second behind a younger event, or after a gap of twelve minutes."""
    for day, door in _days(rng, truth, 1.0):
        t = truth.life.weather.at_local(day, rng.uniform(0, 24))
        variant = rng.choice(("in-order", "behind-a-younger-event", "late-after-a-gap"))
        if truth.life.occupy(door, t - 60, t + _GAP_SECONDS):
            incident = truth.incident(IncidentKind.DURESS, door, t, t + _DURESS_SECONDS, variant)
            truth.life.controller.clear(door, t - 10, t + 30)
            behind = variant == "behind-a-younger-event"
            if behind:
                body = {"type": GateEventType.DURESS.value, "door": door.name}
                at = truth.life.controller.span.since + timedelta(seconds=t)
                truth.behind.append(Emission(at, Channel.EVENT, body, (incident,)))
            if variant == "late-after-a-gap":
                truth.outages.append(outage(truth.life.controller.span, t - 20, t + _GAP_SECONDS, 5_000))
            truth.life.controller.at(t + 0.3 * behind, door, _enter_code(incident, told=not behind))


def _enter_code(incident: Incident, *, told: bool) -> Act:
    def act(door: Door, t: float) -> None:
        granted(door, t, "card-0417")
        if told:
            door.say(t + 0.001, GateEventType.DURESS, (incident,), credential="card-0417")
        door.open(t + 0.3, 7.0)

    return act


def _tamper(rng: Random, truth: _Truth) -> None:
    """The housing of a controller is opened; some do not tell when it is shut again."""
    for day, door in _days(rng, truth, 0.7):
        t, seconds = truth.life.weather.at_local(day, rng.uniform(0, 24)), rng.uniform(60, 1_800)
        ends = rng.random() < 0.6
        if truth.life.occupy(door, t, t + seconds):
            variant = "with-end" if ends else "without-end"
            incident = truth.incident(IncidentKind.TAMPER, door, t, t + seconds, variant)
            truth.life.controller.at(t, door, _tell(GateEventType.TAMPER, incident))
            if ends:
                truth.life.controller.at(t + seconds, door, _tell(GateEventType.TAMPER_CLEARED))


def _tell(type_: GateEventType, *signs: Incident) -> Act:
    return lambda door, t: door.say(t, type_, signs)


def _tailgating(rng: Random, truth: _Truth) -> None:
    """A stranger comes in behind somebody with a card: through the open door, or before the latch holds."""
    for day, door in _days(rng, truth, 4.0):
        t, first = truth.life.weather.at_local(day, rng.uniform(7, 24)), rng.uniform(3, 5)
        pulled, noticed = rng.random() < 0.5, rng.random() < 0.85
        if truth.life.occupy(door, t - 60, t + 60):
            variant = "door-pulled-open-again" if pulled else "through-the-open-door"
            incident = truth.incident(IncidentKind.TAILGATING, door, t, t + 20, variant)
            truth.life.controller.clear(door, t - 60, t + 20)
            truth.life.controller.at(t, door, _come_home(first))
            follow = t + 0.5 + (first + rng.uniform(0.3, 2) if pulled else first * 0.7)
            truth.life.controller.at(follow, door, _follow(incident, pulled=pulled, noticed=noticed))


def _come_home(seconds: float) -> Act:
    def act(door: Door, t: float) -> None:
        granted(door, t, "card-0007")
        door.open(t + 0.5, seconds)

    return act


def _follow(incident: Incident, *, pulled: bool, noticed: bool) -> Act:
    def act(door: Door, t: float) -> None:
        if pulled:
            door.open(t, 5.0, (incident,))
        if noticed:
            door.say(t + 0.8, GateEventType.TAILGATING, (incident,))

    return act


def _held_open(rng: Random, truth: _Truth) -> None:
    """A brick in the door for hours of the night."""
    told = GateEventType.HELD_OPEN in truth.life.controller.make.tells
    for day, door in _days(rng, truth, 1.0):
        t, seconds = truth.life.weather.at_local(day, rng.uniform(22, 26)), rng.uniform(3_600, 18_000)
        if truth.life.occupy(door, t, t + seconds):
            incident = truth.incident(IncidentKind.HELD_OPEN, door, t, t + seconds, "propped-at-night")
            truth.life.controller.clear(door, t - 60, t + 30)
            truth.life.controller.at(t, door, _brick(seconds, () if told else (incident,), (incident,)))


def _brick(seconds: float, signs: Signs, held_signs: Signs) -> Act:
    def act(door: Door, t: float) -> None:
        granted(door, t, "card-0099")
        door.open(t + 1, seconds, signs, held_signs)

    return act


def _days(rng: Random, truth: _Truth, per_month: float) -> Iterator[tuple[int, Door]]:
    for day in truth.life.days(rng, per_month):
        yield day, rng.choice(truth.life.controller.doors)


_INCIDENTS: tuple[Callable[[Random, _Truth], None], ...] = (
    _forced_entries, _duress, _tamper, _tailgating, _held_open,
)  # fmt: skip
