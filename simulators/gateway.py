"""A gateway: a beat every minute, mains with a battery behind them, and the controllers it speaks with."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from core.devices import Channel, DeviceKey
from core.wire.payloads import GatewayEvent, GatewayEventType, Presence, PresenceStatus
from simulators.model import Input, Message, UnknownInputError
from simulators.spec import GatewaySpec

# A charged battery lasts an hour (EN 81-28 asks it of alarm equipment); the last quarter, in which talk must still be
# possible, counts as low.
LOW_SHARE = 0.75
_LONG = timedelta(days=36_500)


class LosePower(Input, frozen=True):
    """The mains of the gateway fail: it runs on its battery."""


class RegainPower(Input, frozen=True):
    """The mains of the gateway are back."""


class LoseController(Input, frozen=True):
    """The controller called ``controller`` no longer answers the gateway."""

    controller: str


class RegainController(Input, frozen=True):
    """The controller called ``controller`` answers again."""

    controller: str


class Gateway:
    """The gateway ``key``."""

    def __init__(self, key: DeviceKey, spec: GatewaySpec, *, start: datetime, chance: random.Random) -> None:
        self._key = key
        self._spec = spec
        self._powered = True
        self._battery_low = False
        self._lost: set[str] = set()
        self._low_at = start + _LONG
        # Spread over one interval, so that a thousand gateways do not all speak in the same instant.
        self._next_beat_at = start + timedelta(seconds=chance.uniform(0.001, spec.beat_seconds))
        self._said: list[Message] = []

    @property
    def key(self) -> DeviceKey:
        return self._key

    @property
    def next_at(self) -> datetime:
        return min(self._next_beat_at, self._low_at)

    def step(self, now: datetime, inputs: Sequence[Input] = ()) -> list[Message]:
        """Advance to ``now``; see `simulators.model.DeviceModel`."""
        self._said = []
        if self._low_at <= now:
            self._low_at, self._battery_low = now + _LONG, True
            self._tell(now, GatewayEventType.BATTERY_LOW)
        if self._next_beat_at <= now:
            self._next_beat_at = now + timedelta(seconds=self._spec.beat_seconds)
            self._said.append(Message(Channel.PRESENCE, Presence(at=now, status=PresenceStatus.ONLINE)))
        for given in inputs:
            self._take(given, now)
        return self._said

    def _take(self, given: Input, now: datetime) -> None:
        match given:
            case LosePower():
                self._lose_power(now)
            case RegainPower():
                self._regain_power(now)
            case LoseController(controller=name):
                if name not in self._lost:
                    self._lost.add(name)
                    self._tell(now, GatewayEventType.CONTROLLER_LOST, name)
            case RegainController(controller=name):
                if name in self._lost:
                    self._lost.remove(name)
                    self._tell(now, GatewayEventType.CONTROLLER_RESTORED, name)
            case _:
                raise UnknownInputError(self._key, given)

    def _lose_power(self, now: datetime) -> None:
        if self._powered:
            self._powered = False
            self._low_at = now + timedelta(seconds=self._spec.battery_seconds * LOW_SHARE)
            self._tell(now, GatewayEventType.POWER_LOST)

    def _regain_power(self, now: datetime) -> None:
        if self._powered:
            return
        self._powered = True
        self._low_at = now + _LONG
        self._tell(now, GatewayEventType.POWER_RESTORED)
        if self._battery_low:
            self._battery_low = False
            self._tell(now, GatewayEventType.BATTERY_OK)

    def _tell(self, at: datetime, kind: GatewayEventType, controller: str | None = None) -> None:
        self._said.append(Message(Channel.EVENT, GatewayEvent(at=at, type=kind, controller=controller)))
