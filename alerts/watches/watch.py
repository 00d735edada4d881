"""The smallest conditions, ready to run: each looks at messages of one device and keeps its answer in a `Leaf`."""

from typing import Protocol

from alerts.memory import Heard, Leaf, Microseconds
from core.devices import Channel
from core.observations import Observation
from core.wire.payloads import Body, Region

Reading = Body | Region
"""What a signal is read from: a region of a camera's look, else the body itself."""
Sentence = tuple[str, str]
"""The same in Chinese and in English."""


class Watch(Protocol):
    """One condition. All methods are pure but for the ``leaf`` they are given, which belongs to the caller."""

    @property
    def code(self) -> str:
        """The stable name of this kind of reason."""
        ...

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels whose messages can change the answer."""
        ...

    @property
    def timed(self) -> bool:
        """Whether time alone can change the answer; where not, `due` and `expire` need not be called."""
        ...

    @property
    def peers(self) -> frozenset[str]:
        """The other devices, of the same kind and community, whose messages can change the answer."""
        ...

    @property
    def compares(self) -> tuple[str, ...] | None:
        """The signals of telemetry that it looks at, if messages that repeat them change nothing; else ``None``."""
        ...

    @property
    def samples(self) -> str | None:
        """The signal of which every value counts, if messages without it change nothing; else ``None``."""
        ...

    def begin(self) -> Leaf:
        """Return the memory before the first message."""
        ...

    def observe(self, leaf: Leaf, observation: Observation, reading: Reading, now: Microseconds, heard: Heard) -> None:
        """Take a message into ``leaf``; everything due at or before ``now`` has been expired."""
        ...

    def observe_peer(self, leaf: Leaf, observation: Observation, now: Microseconds) -> None:
        """Take a message of a device in `peers`; neither a late one nor one older than what it said before."""
        ...

    def due(self, leaf: Leaf, heard: Heard) -> Microseconds:
        """Return when the answer changes if no message comes, 0 for never."""
        ...

    def expire(self, leaf: Leaf, now: Microseconds, heard: Heard) -> None:
        """Let what is due at or before ``now`` happen."""
        ...

    def forget(self, leaf: Leaf) -> None:
        """Forget what happened, since people were told that it is over; what still holds goes on holding."""
        ...

    def tell(self, leaf: Leaf) -> Sentence:
        """Return what was seen, for people."""
        ...

    def facts(self, leaf: Leaf) -> dict[str, str | float | int | bool]:
        """Return what was seen, for machines."""
        ...


class Repeating(Protocol):
    """A watch of which a message can tell that what holds it has happened again."""

    def take_repeat(self, leaf: Leaf) -> bool:
        """Tell whether the newest message did so; asked a second time it did not."""
        ...


class OwnWatch:
    """What most watches share: only the device's own messages matter."""

    @property
    def peers(self) -> frozenset[str]:
        return frozenset()

    @property
    def compares(self) -> tuple[str, ...] | None:
        return None

    @property
    def samples(self) -> str | None:
        return None

    def observe_peer(self, _leaf: Leaf, _observation: Observation, _now: Microseconds) -> None:
        """What others say changes nothing."""

    def forget(self, _leaf: Leaf) -> None:
        """Nothing has happened that does not still hold."""
