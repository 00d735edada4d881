"""Which messenger reaches which receiver: read for every delivery, replaced when the plan is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from alerts.ports import Messenger


class ClosableMessenger(Messenger, Protocol):
    """A messenger that keeps connections."""

    async def close(self) -> None:
        """Close them; a delivery under way fails as temporary, and one that comes later connects anew."""
        ...


@dataclass(frozen=True)
class Channel:
    """A way to a receiver, and how many messages a minute it takes (``None``: as many as there are)."""

    messenger: ClosableMessenger
    per_minute: int | None = None


class MessengerBook:
    """Channels by the receiver's name."""

    def __init__(self, channels: Mapping[str, Channel] | None = None) -> None:
        self._channels = dict(channels or {})

    def find(self, receiver: str) -> Channel | None:
        """Return the channel of ``receiver``; ``None`` when the plan knows no such receiver."""
        return self._channels.get(receiver)

    async def replace(self, channels: Mapping[str, Channel]) -> None:
        """Use ``channels`` from now on, and close what is used no longer."""
        former, self._channels = self._channels, dict(channels)
        kept = {id(channel.messenger) for channel in self._channels.values()}
        for messenger in {id(one.messenger): one.messenger for one in former.values()}.values():
            if id(messenger) not in kept:
                await messenger.close()

    async def close(self) -> None:
        """Close everything; the book is empty afterwards."""
        await self.replace({})
