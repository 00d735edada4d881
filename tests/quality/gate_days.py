"""What goes on at a gate that is no incident: comings and goings, and all that looks like trouble and is none."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

from msgspec import Struct, field

from core.devices import DeviceKey
from core.wire.payloads import DenialReason, GateEventType
from tests.quality.gate_doors import Act, Controller, Door
from tests.quality.model import Disturbance
from tests.quality.weather import Weather

# People by hour of the day, as weights: two peaks of workers and pupils, a few at any hour of the night.
_HOURS = (4, 2, 1, 1, 2, 8, 25, 60, 55, 35, 30, 38, 42, 34, 30, 34, 45, 62, 66, 48, 36, 28, 18, 9)
_REASONS = tuple(DenialReason)


class Life(Struct):
    """One gate: its controller, its time of day, and the disturbances drawn so far."""

    device: DeviceKey
    controller: Controller
    weather: Weather
    disturbances: list[Disturbance] = field(default_factory=list)
    occupied: list[tuple[Door, float, float]] = field(default_factory=list)

    def occupy(self, door: Door, since: float, until: float) -> bool:
        """Keep ``[since, until)`` at ``door`` for one thing; false where another has it, or it is beyond the span."""
        for other, began, ended in self.occupied:
            if other is door and since < ended and began < until:
                return False
        self.occupied.append((door, since, until))
        return 600 < since < self.controller.length - 600

    def disturb(self, cause: str, door: Door | None, since: float, until: float) -> None:
        """Note what may set off an alert in ``[since, until)`` seconds of the span; no door: at all of them."""
        if 0 <= since < self.controller.length:
            began = self.controller.span.since
            self.disturbances.append(
                Disturbance(
                    cause=cause,
                    device=self.device,
                    part=door.name if door else "",
                    began=began + timedelta(seconds=since),
                    ended=began + timedelta(seconds=until),
                )
            )

    def days(self, rng: Random, per_month: float) -> list[int]:
        """Return the local days of the span on which something that happens ``per_month`` times happens."""
        return [day for day in range(self.weather.days) if rng.random() < per_month / 30]


def granted(door: Door, t: float, card: str | None) -> None:
    """Grant a passage; without a ``card`` it is the intercom that lets somebody in."""
    door.say(t, GateEventType.GRANTED, credential=card)


def passages(rng: Random, life: Life) -> None:
    """People come by card and go by button; some with prams, in families, after a refusal, let in by the intercom."""
    per_day, reopened, slow = rng.uniform(80, 450), rng.uniform(0.002, 0.02), rng.uniform(0.005, 0.03)
    unseen = rng.choice((0.0, 0.0, 0.0005, 0.003))
    for door in life.controller.doors:
        for day in range(life.weather.days):
            hours = rng.choices(range(24), _HOURS, k=int(per_day * rng.uniform(0.8, 1.2)))
            for t in (life.weather.at_local(day, hour + rng.random()) for hour in hours):
                kind = rng.random()
                if kind < reopened:
                    _family(rng, life, door, t)
                elif kind < reopened + slow:
                    _pram(rng, life, door, t)
                elif kind < reopened + slow + unseen:
                    _unseen_exit(rng, life, door, t)
                else:
                    life.controller.at(t, door, _passage(rng))


def _card(rng: Random) -> str:
    return f"card-{rng.randrange(900):04}"


def _passage(rng: Random) -> Act:
    inwards, refused, card = rng.random() < 0.5, rng.random() < 0.03, _card(rng) if rng.random() < 0.93 else None
    reason, after, seconds = rng.choice(_REASONS), rng.uniform(0.4, 1.8), rng.uniform(4, 9)

    def act(door: Door, t: float) -> None:
        if inwards and refused:
            door.say(t, GateEventType.DENIED, reason=reason.value, credential=card or "card-9999")
            return
        granted(door, t, card) if inwards else door.say(t, GateEventType.EXIT_BUTTON)
        door.open(t + after, seconds)

    return act


def _family(rng: Random, life: Life, door: Door, t: float) -> None:
    """One card for several: the door is shut behind the first and pulled open again before the latch holds."""
    card, first, again = _card(rng), rng.uniform(3, 5), rng.uniform(0.3, 2)

    def come(door: Door, t: float) -> None:
        granted(door, t, card)
        door.open(t + 0.5, first)

    life.controller.at(t, door, come)
    life.controller.at(t + 0.5 + first + again, door, lambda door, t: door.open(t, 5.0))
    life.disturb("family", door, t, t + 15)


def _pram(rng: Random, life: Life, door: Door, t: float) -> None:
    """The door is held for a pram or a neighbour's shopping: 15 to 60 s."""
    card, seconds = _card(rng), rng.uniform(15, 60)

    def act(door: Door, t: float) -> None:
        granted(door, t, card)
        door.open(t + 1, seconds)

    life.controller.at(t, door, act)
    life.disturb("pram", door, t, t + seconds + 1)


def _unseen_exit(rng: Random, life: Life, door: Door, t: float) -> None:
    """Somebody leaves by the handle, and the exit sensor does not see it: to the controller the door is forced."""
    seconds = rng.uniform(4, 9)
    life.controller.at(t, door, force(seconds))
    life.disturb("unseen-exit", door, t, t + seconds)


def force(seconds: float) -> Act:
    """Return an act that opens a shut door without a grant."""

    def act(door: Door, t: float) -> None:
        if not door.is_open:
            door.say(t, GateEventType.FORCED_OPEN)
            door.open(t + 0.05, seconds)

    return act


def _prop(life: Life, door: Door, cause: str, t: float, seconds: float) -> None:
    """Have ``door`` be granted, opened and propped open; whoever comes meanwhile walks through, some by card."""

    def act(door: Door, t: float) -> None:
        granted(door, t, None)
        door.open(t + 1, seconds)

    if life.occupy(door, t, t + seconds):
        life.controller.clear(door, t, t + 30)
        life.controller.at(t, door, act)
        life.disturb(cause, door, t, t + seconds + 1)


def propped(rng: Random, life: Life) -> None:
    """Deliveries, cleaners and moves prop a door open for minutes to hours of the day."""
    cleaners, deliveries = rng.choice((0.0, 4.0, 25.0)), rng.choice((5.0, 30.0))
    for door in life.controller.doors:
        for cause, per_month, hours, minutes in (
            ("delivery", deliveries, (8, 20), (1, 10)),
            ("cleaners", cleaners, (6, 9), (8, 25)),
            ("move-with-door-propped", 0.7, (8, 14), (60, 240)),
        ):
            for day in life.days(rng, per_month):
                t = life.weather.at_local(day, rng.uniform(*hours))
                _prop(life, door, cause, t, rng.uniform(*minutes) * 60)


def wind(rng: Random, life: Life) -> None:
    """A worn latch in the wind: forced open, opened and closed within 2 s; up to 283 times a month, most in gusts."""
    if rng.random() < 0.7:
        return
    door, per_gale = rng.choice(life.controller.doors), rng.uniform(10, 60)
    for day in life.days(rng, 8):
        since, hours = life.weather.at_local(day, rng.uniform(0, 20)), rng.uniform(1, 5)
        gusts = sorted(since + rng.random() * hours * 3_600 for _ in range(int(per_gale)))
        for t in gusts:
            life.controller.at(t, door, force(rng.uniform(0.3, 1.8)))
        life.disturb("wind-on-contact", door, gusts[0], gusts[-1] + 2)


def loose_contact(rng: Random, life: Life) -> None:
    """A loose contact: bursts of openings that are none, now and then one that lasts until somebody hits the box."""
    if rng.random() < 0.85:
        return
    door = rng.choice(life.controller.doors)
    for day in life.days(rng, 6):
        since = life.weather.at_local(day, rng.uniform(0, 24))
        t = since
        for _ in range(rng.randint(3, 20)):
            t += rng.uniform(1, 40)
            life.controller.at(t, door, force(rng.uniform(0.1, 3)))
        if rng.random() < 0.2:
            stuck, t = t + 5, t + rng.uniform(600, 7_200)
            life.controller.at(stuck, door, force(t - stuck))
        life.disturb("loose-contact", door, since, t + 3)


def restarts(rng: Random, life: Life) -> None:
    """The controller restarts: 20 to 90 s away, then it tells the state of its doors."""
    for day in life.days(rng, rng.choice((0.5, 3.0))):
        t, seconds = life.weather.at_local(day, rng.uniform(0, 24)), rng.uniform(20, 90)
        life.controller.restart(t, seconds)
        life.disturb("controller-restart", None, t, t + seconds + 2)


def sensor_errors(rng: Random, life: Life) -> None:
    """A sensor for tailgating that takes a suitcase, a dog or a child on an arm for a second person."""
    if GateEventType.TAILGATING not in life.controller.make.tells:
        return
    for door in life.controller.doors:
        for day in life.days(rng, 12):
            t = life.weather.at_local(day, rng.uniform(7, 22))

            def act(door: Door, t: float) -> None:
                granted(door, t, None)
                door.open(t + 0.6, 6.0)
                door.say(t + 2.0, GateEventType.TAILGATING)

            life.controller.at(t, door, act)
            life.disturb("suitcase", door, t, t + 7)


KINDS: tuple[Callable[[Random, Life], None], ...] = (propped, sensor_errors, wind, loose_contact, restarts)
