"""Which devices are forgotten where more speak that are not in the registry than are remembered (decision 0016).

A registered device is *known* and never forgotten. Unknown devices share a bound per community, and those of all
communities without a registered device one more bound: names cost their inventor nothing. The first to be forgotten is
the one that was not heard for longest; one with an open alert goes after those without, one with a protected alert
(fire, a pressed alarm button) last. An alert of silence keeps no device: it tells that the device says nothing more.

The order follows from the states alone, so it is the same after a restart. It is kept in heaps without a push for each
message: an entry may stand too early, for what its device was like then, and is moved when it comes up. Only where a
device becomes forgettable sooner, because its alert ended, `UnknownDevices.requeue` adds an earlier entry. An entry
that is not the device's newest is void.
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush, heapreplace

from msgspec import Struct

from alerts.inventory import Inventory
from alerts.memory import Microseconds
from alerts.model import Reason
from alerts.parts import PARTS_AT_MOST
from alerts.sites import Site
from core.devices import DeviceKey

_DAY: Microseconds = 86_400_000_000
# Ours: longer than any holiday's power cut of a shed; the rules tell of the silence after minutes or hours.
UNHEARD_FOR: Microseconds = 7 * _DAY
_NEVER = 0
_SPARE_ENTRIES = 64
# Ours: on average, of all devices under a bound. A camera may have 64 regions, and each takes as much as half a device.
PARTS_PER_DEVICE = 4

TOO_MANY = Reason(
    "unknown_device_forgotten",
    "未登记设备过多，本设备已被移除，告警随之关闭；请核实现场，并登记该设备",
    "too many unregistered devices: this one was forgotten, and its alert with it; check on site and register it",
)
UNHEARD = Reason(
    "unknown_device_unheard",
    "未登记设备已 7 天无消息，已被移除，告警随之关闭；如仍在用，请登记",
    "an unregistered device, unheard for 7 days, was forgotten, and its alert with it; register it if it is in use",
)

Rank = tuple[int, int, str]
"""What keeps the device, the position of its newest message, its path: the least is forgotten first."""


class UnknownLimits(Struct, frozen=True):
    """How many unknown devices are remembered: in one community, and in all that have no registered device."""

    per_community: int = 2_000
    unregistered_communities: int = 10_000


class UnknownDevices:
    """The unknown devices of an engine, by the order in which they are forgotten."""

    def __init__(self, limits: UnknownLimits) -> None:
        self.limits = limits
        self.is_overfull = False
        """Since `rebuild`, until `excess` is exhausted."""
        self._inventory = Inventory()
        self._unregistered = _EvictionQueue(limits.unregistered_communities)
        self._communities: dict[str, _EvictionQueue] = {}

    def rebuild(self, inventory: Inventory, sites: Iterable[Site]) -> None:
        """Begin anew with the unknown ones of ``sites``."""
        self._inventory = inventory
        self._unregistered = _EvictionQueue(self.limits.unregistered_communities)
        self._communities = {}
        for site in sites:
            self.add(site)
        self.is_overfull = any(queue.lacks(0) for queue in (self._unregistered, *self._communities.values()))

    def add(self, site: Site) -> None:
        """Take ``site``, heard for the first time, unless it is known."""
        for queue in self._queues_of(site.device.key):
            queue.put(site)

    def remove(self, site: Site) -> None:
        """Drop ``site``, which is forgotten."""
        community = site.device.key.community
        for queue in self._queues_of(site.device.key):
            queue.drop(site)
        if community in self._communities and not len(self._communities[community]):
            del self._communities[community]

    def requeue(self, site: Site) -> None:
        """Move ``site``, of which an alert ended, to where it belongs now."""
        for queue in self._queues_of(site.device.key):
            queue.put(site)

    def in_the_way_of(self, newcomer: DeviceKey) -> Iterator[Site]:
        """Yield the devices to be forgotten before ``newcomer`` is remembered, each to be removed before the next."""
        for queue in list(self._queues_of(newcomer)):
            while queue.lacks(1):
                yield queue.first()

    def weigh(self, site: Site) -> Iterator[Site]:
        """Note how many parts of ``site``, which just spoke, are remembered; yield what has to be forgotten for them.

        It may be ``site`` itself, where all others have open alerts. Each must be removed before the next is asked for.
        """
        state = site.device.state
        count = max((len(each.parts) for each in state.rules.values()), default=0)
        if count == state.part_count:
            return
        state.part_count = count
        queues = list(self._queues_of(site.device.key))
        for queue in queues:
            queue.weigh(site)
        for queue in queues:
            while queue.has_too_many_parts:
                yield queue.first()

    def excess(self) -> Iterator[Site]:
        """Yield the devices beyond the bounds, after `rebuild`; each must be removed before the next is asked for."""
        self.is_overfull = False
        for queue in (self._unregistered, *list(self._communities.values())):
            while queue.lacks(0):
                yield queue.first()

    def forgotten_at(self, site: Site) -> Microseconds:
        """Return when ``site`` is forgotten if it says nothing more; 0 for never: it is known, or its alert is open."""
        if self._inventory.has(site.device.key) or _keeps(site):
            return _NEVER
        return site.device.state.heard.anything + UNHEARD_FOR

    def problems(self) -> dict[str, str]:
        """Return the components ``unknown-devices/COMMUNITY`` of communities at their bound, and what to do.

        ``unknown-devices`` alone stands for all communities without a registered device.
        """
        full = {f"unknown-devices/{name}": len(queue) for name, queue in self._communities.items() if queue.is_full}
        if self._unregistered.is_full:
            full["unknown-devices"] = len(self._unregistered)
        return {name: _at_bound(count) for name, count in full.items()}

    @property
    def count(self) -> int:
        """How many unknown devices are remembered."""
        return sum(len(queue) for queue in self._communities.values())

    def _queues_of(self, key: DeviceKey) -> Iterator["_EvictionQueue"]:
        if self._inventory.has(key):
            return
        if key.community not in self._inventory.communities:
            yield self._unregistered
        queue = self._communities.get(key.community)
        if queue is None:
            queue = self._communities[key.community] = _EvictionQueue(self.limits.per_community)
        yield queue


class _EvictionQueue:
    """Unknown devices under one bound."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sites: dict[str, Site] = {}
        self._ranks: dict[str, Rank] = {}
        """By path, the entry of each device that counts."""
        self._entries: list[Rank] = []
        self._parts: dict[str, int] = {}
        self._part_count = 0

    @property
    def has_too_many_parts(self) -> bool:
        return self._part_count > self._limit * PARTS_PER_DEVICE

    @property
    def is_full(self) -> bool:
        """Tell whether one more device, with as many parts as it may have, makes another be forgotten."""
        room = max(self._limit * PARTS_PER_DEVICE - PARTS_AT_MOST, 0)
        return self.lacks(1) or self._part_count > room

    def __len__(self) -> int:
        return len(self._sites)

    def lacks(self, room: int) -> bool:
        """Tell whether there is no room for so many more."""
        return len(self._sites) + room > self._limit or self.has_too_many_parts

    def put(self, site: Site) -> None:
        path, rank = site.device.path, _rank(site)
        if self._ranks.get(path) != rank:
            self._sites[path], self._ranks[path] = site, rank
            heappush(self._entries, rank)
            self._compact()
        self.weigh(site)

    def weigh(self, site: Site) -> None:
        path, count = site.device.path, site.device.state.part_count
        self._part_count += count - self._parts.get(path, 0)
        self._parts[path] = count

    def drop(self, site: Site) -> None:
        self._sites.pop(site.device.path, None)
        self._ranks.pop(site.device.path, None)
        self._part_count -= self._parts.pop(site.device.path, 0)

    def first(self) -> Site:
        """Return the device that is forgotten first; there must be one."""
        while True:
            entry = self._entries[0]
            path = entry[-1]
            if self._ranks.get(path) != entry:
                heappop(self._entries)
                continue
            site = self._sites[path]
            rank = _rank(site)
            if rank == entry:
                return site
            self._ranks[path] = rank
            heapreplace(self._entries, rank)

    def _compact(self) -> None:
        if len(self._entries) > 2 * len(self._ranks) + _SPARE_ENTRIES:
            self._entries = list(self._ranks.values())
            heapify(self._entries)


def _at_bound(count: int) -> str:
    return (
        f"未登记设备已达上限 {count} 台，新名称到来时移除最久无消息的一台：请登记真实设备，"
        f"或更换发送账号的密码、收紧其主题权限（ACL） / {count:,} unregistered devices, as many as are remembered: "
        f"each new name drops the one unheard for longest; register the real ones, or change that password or ACL"
    )


def _rank(site: Site) -> Rank:
    state = site.device.state
    # States of versions before have no `heard_position`.
    return _keeps(site), state.heard_position or state.position, site.device.path


def _keeps(site: Site) -> int:
    """Return how much the open alerts of ``site`` keep it from being forgotten."""
    kept = 0
    for rule, state in site.device.state.rules.items():
        if state.alert is not None:
            if state.alert.protected:
                return 2
            post = site.roster.posts.get(rule)
            if post is None or not post.silence:
                kept = 1
    return kept
