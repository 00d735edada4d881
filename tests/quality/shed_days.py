"""What goes on in a bike shed besides fires: people, hot motors, chargers, glints, heaters, hot work.

Each function draws one kind of thing over the whole span and adds its sources and disturbances to a `Life`. People
(34 °C at most) and batteries that warm by a few degrees while they charge are no disturbances: they are the shed.
"""

from collections.abc import Callable
from datetime import timedelta
from random import Random

from msgspec import Struct, field

from core.devices import DeviceKey
from tests.quality.heat import Points, Source, cooling
from tests.quality.model import Disturbance, Span
from tests.quality.weather import Weather

# Comings and goings by hour of the day, as weights: to work, from work, hardly anybody at night.
_HOURS = (1, 1, 0, 0, 0, 2, 8, 16, 14, 6, 5, 8, 9, 5, 4, 5, 8, 15, 18, 13, 9, 7, 5, 2)


class Life(Struct):
    """All sources of one shed, and the disturbances among them."""

    device: DeviceKey
    names: list[str]
    weather: Weather
    span: Span
    sources: list[Source] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)

    def add(self, source: Source, cause: str = "") -> None:
        """Add ``source``, as a disturbance where it has a ``cause``."""
        if source.until <= 0 or source.since >= self.span.length.total_seconds():
            return
        self.sources.append(source)
        if cause:
            self.disturbances.append(self.disturbance(cause, source.region, source.since, source.until))

    def disturbance(self, cause: str, region: int | None, since: float, until: float) -> Disturbance:
        """Return what disturbs ``region`` (``None``: the whole camera) in ``[since, until)`` seconds of the span."""
        return Disturbance(
            cause=cause,
            device=self.device,
            part="" if region is None else self.names[region],
            began=self.span.since + timedelta(seconds=since),
            ended=self.span.since + timedelta(seconds=until),
        )

    def moments(self, rng: Random, per_day: float) -> list[float]:
        """Return instants of comings and goings, about ``per_day``, spread as people's days are."""
        found: list[float] = []
        for day in range(self.weather.days):
            count = int(per_day * rng.uniform(0.7, 1.3) + rng.random())
            hours = rng.choices(range(24), _HOURS, k=count)
            found += [self.weather.at_local(day, hour + rng.random()) for hour in hours]
        return found

    def air(self, t: float) -> float:
        return self.weather.air_celsius(t) + 2.0


def people(rng: Random, life: Life) -> None:
    """People walk through one to three regions, 3 to 20 s in each; their clothes are cooler than they are."""
    for at in life.moments(rng, rng.uniform(40, 160)):
        skin = min(34.0, 26.0 + 0.35 * max(life.air(at), 0.0))
        region, way = rng.randrange(len(life.names)), rng.choice((-1, 1))
        for _ in range(rng.randint(1, 3)):
            seconds = rng.uniform(3, 20)
            if 0 <= region < len(life.names):
                life.add(Source(region, at, [(0.0, skin), (seconds, skin)], share=0.08, fast=True))
            at, region = at + seconds, region + way


def charging(rng: Random, life: Life) -> None:
    """Batteries that charge: 3 to 8 °C above the air for hours, most of all in the evening."""
    per_day = rng.uniform(0.5, 1.5) * len(life.names)
    for day in range(life.weather.days):
        for _ in range(int(per_day + rng.random())):
            since = life.weather.at_local(day, rng.gauss(19.5, 2.5))
            hours, warm = rng.uniform(3, 7) * 3_600, rng.uniform(3, 8)
            course = [(0.0, 0.0), (hours * 0.4, warm), (hours * 0.7, warm), (hours, 1.0)]
            life.add(Source(rng.randrange(len(life.names)), since, course, share=0.06, above=True))


def charger_blocks(rng: Random, life: Life) -> None:
    """Charger blocks in the picture: a steady 44 to 53 °C for hours."""
    per_day = rng.choice((0.1, 0.5, 2.0))
    for day in range(life.weather.days):
        for _ in range(int(per_day + rng.random())):
            since, hours = life.weather.at_local(day, rng.gauss(19, 3)), rng.uniform(3, 8) * 3_600
            hot = max(rng.uniform(44, 53), life.air(since) + 12)
            course = [
                (0.0, life.air(since)),
                (900.0, hot),
                (hours - 1_200, hot + rng.uniform(-1, 1)),
                (hours, hot - 14),
            ]
            life.add(Source(rng.randrange(len(life.names)), since, course, share=0.01), "charger-block")


def mopeds(rng: Random, life: Life) -> None:
    """Motors and brakes after a ride: rolled in within seconds at 45 to 80 °C, cold within half an hour."""
    for at in life.moments(rng, rng.choice((0.3, 1.0, 4.0))):
        hot, half_hour = rng.choice((rng.uniform(45, 60), rng.uniform(60, 80))), rng.uniform(1_500, 2_400)
        course = [(later + 2.0, celsius) for later, celsius in cooling(hot, life.air(at) + 2, 700.0, half_hour)]
        life.add(
            Source(rng.randrange(len(life.names)), at, [(0.0, life.air(at)), *course], share=0.03), "hot-moped"
        )  # fmt: skip


def vehicles(rng: Random, life: Life) -> None:
    """Exhausts and bonnets before the shed: up to 427 °C/min for seconds; some pass by, some stay for minutes."""
    for at in life.moments(rng, rng.choice((0.0, 0.05, 0.4, 1.5))):
        hot = rng.uniform(70, 105)
        rise = max((hot - life.air(at)) / 427 * 60, rng.uniform(4, 15))
        stay = rng.choice((rng.uniform(2, 15), rng.uniform(60, 900)))
        leave = hot - min(stay / 30, 25)
        course: Points = [(0.0, life.air(at)), (rise, hot), (rise + stay, leave), (rise + stay + 5, life.air(at))]
        region = rng.randrange(len(life.names))
        life.add(Source(region, at, course, share=0.1, fast=True), "hot-vehicle")


def glints(rng: Random, life: Life) -> None:
    """The sun mirrored by chrome or glass: seconds to a minute of 60 to 150 °C, flickering, at about the same hour."""
    if rng.random() < 0.5:
        return
    region, hour = rng.randrange(len(life.names)), rng.uniform(9, 16)
    for day in range(life.weather.days):
        for _ in range(rng.choice((0, 1, 4))):
            at = life.weather.at_local(day, hour + rng.gauss(0, 0.3))
            if life.weather.clearness(at) > 0.8 and life.weather.elevation(at) > 0.3:
                hot, seconds = rng.uniform(60, 150), rng.choice((rng.uniform(1, 6), rng.uniform(6, 60)))
                life.add(Source(region, at, [(0.0, hot), (seconds, hot)], share=0.005, flicker=0.2, fast=True), "glint")


def heater(rng: Random, life: Life) -> None:
    """An electric heater of the guard's on cold days, switched by its thermostat."""
    if rng.random() < 0.6:
        return
    region, hot = rng.randrange(len(life.names)), rng.uniform(80, 140)
    for day in range(life.weather.days):
        at, end = life.weather.at_local(day, rng.uniform(6, 8)), life.weather.at_local(day, rng.uniform(20, 23))
        if life.weather.air_celsius(at) < 6:
            course: Points = [(0.0, 10.0)]
            while course[-1][0] < end - at:
                on = course[-1][0] + rng.uniform(240, 900)
                course += [(on - 150, hot), (on, hot), (on + rng.uniform(400, 1_200), 35.0)]
            life.add(Source(region, at, course, share=0.03), "heater")


def hot_work(rng: Random, life: Life) -> None:
    """A contractor who welds or cuts for half an hour to two hours of a working day, with pauses."""
    for day in range(life.weather.days):
        if rng.random() < 0.5 / 30:
            at, region = life.weather.at_local(day, rng.uniform(8.5, 15.5)), rng.randrange(len(life.names))
            end, course = rng.uniform(1_800, 7_200), [(0.0, life.air(at))]
            while course[-1][0] < end:
                seconds, hot = course[-1][0], rng.uniform(150, 600)
                burst = rng.uniform(10, 60)
                course += [(seconds + 2, hot), (seconds + burst, hot), (seconds + burst + 40, 50.0)]
                course.append((seconds + burst + rng.uniform(60, 200), life.air(at) + 5))
            life.add(Source(region, at, course, share=0.02, flicker=0.25, fast=True), "hot-work")


KINDS: tuple[Callable[[Random, Life], None], ...] = (
    people, charging, charger_blocks, mopeds, vehicles, glints, heater, hot_work,
)  # fmt: skip
