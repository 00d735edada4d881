"""What every device model is: a pure stepper of simulated time that turns inputs into wire messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from core.devices import Channel, DeviceKey
from core.wire.payloads import Payload


class Input(Struct, frozen=True):
    """Something done to a device from outside; each model declares its own and ignores none of them silently."""


class Message(Struct, frozen=True):
    """One payload on one channel; ``body.at`` is the simulated instant, ``body.seq`` is given by the fleet."""

    channel: Channel
    body: Payload


class DeviceModel(Protocol):
    """A device: no clock, no I/O, all chance from the `random.Random` it was built with."""

    @property
    def key(self) -> DeviceKey:
        """Who it is."""
        ...

    @property
    def next_at(self) -> datetime:
        """The simulated instant at which `step` is due; strictly after the last step."""
        ...

    def step(self, now: datetime, inputs: Sequence[Input] = ()) -> list[Message]:
        """Advance to ``now`` (never backwards), apply ``inputs`` there and return what the device says.

        Stepping at every `next_at` gives the device's full behaviour. Raises `UnknownInputError` for an input that
        belongs to another kind of device.
        """
        ...


class UnknownInputError(TypeError):
    """A device was given an input of another kind of device."""

    def __init__(self, device: DeviceKey, given: Input) -> None:
        super().__init__(f"{device.path} cannot take {type(given).__name__}")
