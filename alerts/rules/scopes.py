"""To which devices a rule applies: by community, building, device and tag."""

from typing import Annotated

from msgspec import Meta, Struct

from alerts.inventory import DeviceFacts
from core.devices import DeviceKey

Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """Every list that is given narrows; a device must have all of ``tags`` and none of ``not_tags``.

    ``devices`` are names, or paths (``community/kind/device``) where a name is used in several communities. Buildings
    and tags are what people told of the device: one of which nothing was told has none.
    """

    communities: list[Name] = []
    buildings: list[Name] = []
    devices: list[Annotated[str, Meta(min_length=1, max_length=200)]] = []
    tags: list[Name] = []
    not_tags: list[Name] = []


def covers(scope: Scope | None, device: DeviceKey, facts: DeviceFacts) -> bool:
    """Tell whether ``device`` is within ``scope``; no scope covers all."""
    if scope is None:
        return True
    return (
        (not scope.communities or device.community in scope.communities)
        and (not scope.buildings or facts.building in scope.buildings)
        and (not scope.devices or device.device in scope.devices or device.path in scope.devices)
        and facts.tags.issuperset(scope.tags)
        and facts.tags.isdisjoint(scope.not_tags)
    )
