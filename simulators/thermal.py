"""A thermal camera over a bike shed: a look every interval, and its own pre-alarm and alarm episodes."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from core.devices import Channel, DeviceKey
from core.wire.payloads import Region, ThermalLevel, ThermalTelemetry
from simulators.episodes import EpisodeTracker
from simulators.model import Input, Message, UnknownInputError
from simulators.shed import RegionWarmth, ambient_celsius
from simulators.spec import CameraSpec

# Noise of one look at a region's maximum; uncooled cameras resolve 0.05 °C, a moving maximum wanders more. Typical.
NOISE_CELSIUS = 0.15


class Ignite(Input, frozen=True):
    """A pack in ``region`` (by default the first one) begins to run away."""

    region: str | None = None


class Douse(Input, frozen=True):
    """All fires are put out; what burned cools down."""


class ThermalCamera:
    """The camera ``key``."""

    def __init__(
        self, key: DeviceKey, spec: CameraSpec, *, start: datetime, utc_offset_hours: float, chance: random.Random
    ) -> None:
        self._key = key
        self._spec = spec
        self._utc_offset_hours = utc_offset_hours
        self._chance = chance
        self._regions = [
            RegionWarmth(
                region,
                start=start,
                charges_per_day=spec.charges_per_socket_day * region.sockets,
                utc_offset_hours=utc_offset_hours,
                chance=chance,
            )
            for region in spec.regions
        ]
        levels = ((ThermalLevel.PRE_ALARM, spec.pre_alarm_celsius), (ThermalLevel.ALARM, spec.alarm_celsius))
        self._trackers = {
            region.region: [EpisodeTracker(region.region, level, celsius) for level, celsius in levels]
            for region in spec.regions
        }
        self._next_look_at = start + timedelta(seconds=chance.uniform(0.001, spec.interval_seconds))

    @property
    def key(self) -> DeviceKey:
        return self._key

    @property
    def next_at(self) -> datetime:
        return self._next_look_at

    def step(self, now: datetime, inputs: Sequence[Input] = ()) -> list[Message]:
        """Advance to ``now``; see `simulators.model.DeviceModel`."""
        for region in self._regions:
            region.advance(now)
        for given in inputs:
            self._take(given, now)
        if self._next_look_at > now:
            return []
        self._next_look_at = now + timedelta(seconds=self._spec.interval_seconds)
        return self._look(now)

    def _take(self, given: Input, now: datetime) -> None:
        match given:
            case Ignite(region=None):
                self._regions[0].ignite(now, self._ambient(now))
            case Ignite(region=name):
                for region in self._regions:
                    if region.name == name:
                        region.ignite(now, self._ambient(now))
            case Douse():
                for region in self._regions:
                    region.douse(now)
            case _:
                raise UnknownInputError(self._key, given)

    def _look(self, now: datetime) -> list[Message]:
        ambient = self._ambient(now)
        seen = [self._measure(region, now, ambient) for region in self._regions]
        telemetry = ThermalTelemetry(at=now, regions=seen, ambient_celsius=round(ambient, 2))
        said = [Message(Channel.TELEMETRY, telemetry)]
        for region in seen:
            for tracker in self._trackers[region.region]:
                event = tracker.look(now, region.maximum_celsius)
                if event is not None:
                    said.append(Message(Channel.EVENT, event))
        return said

    def _measure(self, region: RegionWarmth, now: datetime, ambient: float) -> Region:
        hottest, hotspot = region.hottest(now, ambient)
        maximum = round(hottest + self._chance.gauss(0.0, NOISE_CELSIUS), 2)
        # A hot pack fills a few percent of its region.
        average = ambient + region.average_rise() + 0.03 * max(0.0, hottest - ambient)
        minimum = min(maximum, ambient - 0.8 + self._chance.gauss(0.0, NOISE_CELSIUS))
        return Region(
            region=region.name,
            maximum_celsius=maximum,
            minimum_celsius=round(minimum, 2),
            average_celsius=round(min(maximum, max(minimum, average)), 2),
            hotspot=hotspot,
        )

    def _ambient(self, now: datetime) -> float:
        return ambient_celsius(
            now,
            mean=self._spec.ambient_mean_celsius,
            swing=self._spec.ambient_swing_celsius,
            utc_offset_hours=self._utc_offset_hours,
        )
