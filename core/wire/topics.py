"""Native topics: ``anju/v1/{community}/{kind}/{device}/{channel}``."""

import re
from functools import lru_cache

from core.devices import Channel, DeviceKey, DeviceKind

ROOT = "anju/v1"
SUBSCRIPTION = f"{ROOT}/#"
# AWS IoT and EMQX topic guidance: lower-case letters, digits and dashes; general to specific; at most 7 levels.
WORD = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


class UnknownTopic(ValueError):
    """The topic is not one of ours; the text says which part is wrong and what was expected."""


def build(device: DeviceKey, channel: Channel) -> str:
    """Return the topic on which ``device`` speaks on ``channel``."""
    return f"{ROOT}/{device.path}/{channel.value}"


# A fleet has a few topics per device and repeats them for ever, so parsing is remembered; the bound keeps a
# hostile publisher of endless topics from eating memory.
@lru_cache(maxsize=65_536)
def parse(topic: str) -> tuple[DeviceKey, Channel]:
    """Return who speaks on ``topic`` and on which channel; raises `UnknownTopic`."""
    parts = topic.split("/")
    if len(parts) != 6 or parts[0] != "anju" or parts[1] != "v1":
        raise UnknownTopic(f"topic {topic[:200]!r}: expected {ROOT}/{{community}}/{{kind}}/{{device}}/{{channel}}")
    _, _, community, kind, device, channel = parts
    for name, word in (("community", community), ("device", device)):
        if not WORD.fullmatch(word):
            raise UnknownTopic(f"topic {topic[:200]!r}: {name} must be 1-64 of a-z, 0-9 and inner dashes")
    if kind == DeviceKind.SYSTEM:
        raise UnknownTopic(f"topic {topic[:200]!r}: {kind} is Anju itself: no device may speak for it")
    try:
        return DeviceKey(community, DeviceKind(kind), device), Channel(channel)
    except ValueError as error:
        raise UnknownTopic(f"topic {topic[:200]!r}: {error}") from None


def community_of(topic: str) -> str:
    """Return the community a topic names, or ``-`` where it names none that could exist (for the ledger)."""
    try:
        return parse(topic)[0].community
    except UnknownTopic:
        return "-"
