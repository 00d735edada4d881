"""From the true state of a lift to the messages of its gateway: sensors, the telemetry's fields, the pace."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import msgspec

from core.devices import Channel
from tests.quality.lift_car import Car, Steps
from tests.quality.lift_makes import Make
from tests.quality.lift_truth import signs_in, signs_of_silence
from tests.quality.links import Emission
from tests.quality.model import Incident, IncidentKind, Span

Values = dict[str, object]
_NEVER = timedelta(days=36_500)
# A common keep-alive of 60 s, times 1.5.
_WILL_AFTER = timedelta(seconds=90)
# What a gateway that sends on change looks at; the others go with it.
_WATCHED = (
    "service_mode", "direction", "floor", "door_state", "door_zone", "passenger_present", "main_power",
)  # fmt: skip
_PRESENT_FROM_KILOGRAMS = 20.0


class Blips:
    """A contact that errs now and then: on average every ``gap`` seconds for ``low`` to ``high`` seconds."""

    def __init__(self, rng: Random, since: datetime, gap: float, low: float, high: float) -> None:
        self._rng, self._gap, self._low, self._high = rng, gap, low, high
        self._on = False
        self._next = since + timedelta(seconds=rng.expovariate(1 / gap))

    def read(self, at: datetime) -> tuple[bool, datetime]:
        """Return whether it errs at ``at`` and until when; ``at`` never goes back."""
        while self._next <= at:
            self._on = not self._on
            seconds = self._rng.uniform(self._low, self._high) if self._on else self._rng.expovariate(1 / self._gap)
            self._next += timedelta(seconds=max(0.2, seconds))
        return self._on, self._next


class Sensors:
    """Reads a car as its sensors see it."""

    def __init__(self, make: Make, rng: Random, since: datetime) -> None:
        self._make = make
        self._missing = make.missing
        self._pir_hold = timedelta(seconds=make.pir_hold_seconds)
        self._flaps = Blips(rng, since, 60, 1, 10) if make.people_sensor == "flapping" else None
        self._magnet = Blips(rng, since, 3600, 0.3, 6) if make.loose_door_magnet else None
        self._zone = Blips(rng, since, 1800, 0.3, 20) if make.noisy_door_zone else None

    def read(self, car: Car, at: datetime) -> tuple[Values, datetime]:
        """Return the telemetry's fields at ``at``, and until when they hold if the car stays as it is."""
        missing, valid = self._missing, at + _NEVER
        values: Values = {}
        if "no-mode" not in missing:
            values["service_mode"] = car.mode
        values["direction"] = car.arrow if "arrow-direction" in missing else car.direction
        values["floor"] = car.floor_name
        if "no-position" not in missing:
            values["position_metres"] = round(car.position, 2)
        if "no-speed" not in missing:
            # As on the wire: below 0 on the way down.
            values["speed_mps"] = round(-car.speed if car.direction == "down" else car.speed, 2)
        values["door_state"], valid = self._door(car, at, valid)
        if "no-door-zone" not in missing:
            values["door_zone"], valid = self._door_zone(car, at, valid)
        if "no-people-sensor" not in missing:
            values["passenger_present"], valid = self._people(car, at, valid)
        if "no-load" not in missing:
            values["load_kilograms"] = round(max(0.0, car.load), 0)
        if "no-counters" not in missing:
            values["trip_count"] = car.trips
            values["door_cycle_count"] = car.cycles
            values["running_seconds"] = int(car.running)
        if "no-main-power" not in missing:
            values["main_power"] = car.power
        return values, valid

    def _door(self, car: Car, at: datetime, valid: datetime) -> tuple[str, datetime]:
        state = car.door
        if state != "closed" and "two-state-door" in self._missing:
            state = "open"
        if self._magnet:
            errs, until = self._magnet.read(at)
            state, valid = "open" if errs and state == "closed" else state, min(valid, until)
        return state, valid

    def _door_zone(self, car: Car, at: datetime, valid: datetime) -> tuple[bool, datetime]:
        zone = car.zone
        if self._zone:
            errs, until = self._zone.read(at)
            zone, valid = zone != errs, min(valid, until)
        return zone, valid

    def _people(self, car: Car, at: datetime, valid: datetime) -> tuple[bool, datetime]:
        make = self._make
        if stuck := make.people_stuck:
            if stuck[0] <= at < stuck[1]:
                return True, min(valid, stuck[1])
            if at < stuck[0]:
                valid = min(valid, stuck[0])
        if make.people_sensor == "load":
            return car.load > _PRESENT_FROM_KILOGRAMS, valid
        if make.people_sensor == "pir":
            if car.people and car.lively:
                return True, valid
            lost = car.last_motion + self._pir_hold
            return at < lost, min(valid, lost) if at < lost else valid
        if self._flaps:
            errs, until = self._flaps.read(at)
            return (car.people > 0) != errs, min(valid, until)
        return car.people > 0, valid


class Reporter:
    """Drives the procedures of a car and yields what its gateway sends."""

    def __init__(self, car: Car, span: Span, rng: Random, *, presence: bool) -> None:
        make = car.make
        self._presence = presence
        self._dark: Incident | None = None
        """The silence of a gateway without power that goes on."""
        self._will = span.until
        self._car = car
        self._sensors = Sensors(make, rng, span.since)
        self._until = span.until
        self._polls = make.pace.startswith("every")
        periods = {"every-1s": timedelta(seconds=1), "every-30s": timedelta(seconds=30), "on-change": make.heartbeat}
        self._period = periods.get(make.pace, _NEVER)
        self._next = span.since + min(self._period, timedelta(minutes=10)) * rng.random()
        if not self._polls:
            self._next = span.since + timedelta(seconds=rng.uniform(0.5, 5))
        self._poll_seconds = rng.uniform(0.02, 0.3)
        self._sent: Values = {}

    def report(self, steps: Steps) -> Iterator[Emission]:
        """Yield the emissions of ``steps``, up to the end of the span; incidents that go on end with it."""
        car, until = self._car, self._until
        for hold in steps:
            end = min(car.at + timedelta(seconds=hold), until)
            if self._dark or not (car.power or car.make.gateway_battery):
                yield from self._supply(end)
            if self._dark:
                car.said.clear()
            elif car.said:
                yield from self._events()
            if not self._dark and (not self._polls or self._next < end):
                yield from self._telemetry(end)
            if car.people and car.lively:
                car.last_motion = end
            car.at = end
            if end >= until:
                break
        if car.said:
            yield from self._events()
        for incident in list(car.open):
            car.end(incident)
        for disturbance in list(car.unsettled):
            car.settle(disturbance)

    def _supply(self, end: datetime) -> Iterator[Emission]:
        """Follow the supply of a gateway without battery over ``[car.at, end)``: silence, the will, the new birth."""
        car = self._car
        if self._dark is None:
            self._dark = car.begin(IncidentKind.LINK_DOWN, "gateway-without-power")
            self._will = car.at + _WILL_AFTER
            if not self._presence:
                self._dark.first_sign = car.at
        elif car.power:
            car.end(self._dark)
            self._dark = None
            self._sent = {}
            self._next = max(self._next, car.at + timedelta(seconds=1))
            if self._presence:
                yield Emission(car.at, Channel.PRESENCE, {"status": "online"})
            return
        if self._presence and self._will < end and not car.power:
            yield Emission(max(self._will, car.at), Channel.PRESENCE, {"status": "offline"}, (self._dark,))
            self._will = car.at + _NEVER

    def _events(self) -> Iterator[Emission]:
        for said in self._car.said:
            yield Emission(said.at, Channel.EVENT, said.body, said.signs, said.presses)
        self._car.said.clear()

    def _telemetry(self, end: datetime) -> Iterator[Emission]:
        """Yield the telemetry of ``[car.at, end)``, in which the car stays as it is but sensors may change."""
        car = self._car
        at = car.at
        while at < end:
            if self._polls and self._next >= end:
                return
            values, valid = self._sensors.read(car, at)
            stop = min(valid, end)
            if not self._polls and self._changed(values):
                yield self._emission(
                    at + timedelta(seconds=min(self._poll_seconds, (stop - at).total_seconds())), values
                )
                self._next = at + self._period
            if self._next < stop:
                yield from self._regular(values, stop)
            if car.open and not self._polls:
                signs_of_silence(values, car, at, stop)
            at = stop

    def _regular(self, values: Values, stop: datetime) -> Iterator[Emission]:
        """Yield the messages at fixed times before ``stop``; all of them say the same."""
        body = msgspec.json.encode(values)
        at, period, car = self._next, self._period, self._car
        while at < stop:
            signs = signs_in(values, car, at) if car.open else ()
            yield Emission(at, Channel.TELEMETRY, body, signs)
            at += period
        self._next = at
        self._sent = values

    def _changed(self, values: Values) -> bool:
        sent = self._sent
        for name in _WATCHED:  # noqa: SIM110 - a loop costs half of `any`, and this runs for each second of travel
            if values.get(name) != sent.get(name):
                return True
        return False

    def _emission(self, at: datetime, values: Values) -> Emission:
        sent, self._sent = self._sent, values
        said = values
        if self._car.make.partial:
            said = {name: value for name, value in values.items() if sent.get(name) != value}
        signs = signs_in(values, self._car, at) if self._car.open else ()
        return Emission(at, Channel.TELEMETRY, msgspec.json.encode(said), signs)
