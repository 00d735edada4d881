"""Worlds as the product's decoder reads them."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from core.observations import Observation
from tests.quality.model import Message, World
from tests.unit.ingest.entries import DECODER, entry


def observed(messages: Iterable[Message]) -> Iterator[Observation]:
    """Yield what the product makes of ``messages``; fails where one is refused or comes before an earlier one."""
    last: datetime | None = None
    for message in messages:
        assert last is None or message.received_at >= last
        last = message.received_at
        observation = DECODER(entry(message.topic, message.payload, received_at=message.received_at))
        assert isinstance(observation, Observation), (message, observation)
        yield observation


def everything(world: World) -> tuple[list[Message], str]:
    """Return all messages of ``world``, and then its truth as text."""
    messages = list(world.messages)
    return messages, repr((world.station, world.incidents, world.disturbances))
