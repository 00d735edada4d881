"""When each device must be looked at without a message: one heap of timers for the engine."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count

from alerts.memory import Microseconds
from alerts.sites import Site

_NEVER = 0
# Beyond a share of all: the heap is cleared of dropped timers then, so that the memory of their devices is freed.
_DROPPED = 256


class Timers:
    """At most one timer per device counts: the one at `Site.armed`. Any other that stands in the heap is void."""

    def __init__(self) -> None:
        # (due, path): equal instants happen in an order that does not hang on who was heard first.
        self._heap: list[tuple[Microseconds, str, int, Site]] = []
        self._pushes = count()
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._heap)

    def arm(self, site: Site, due: Microseconds) -> None:
        """Set a timer of ``site``, unless an earlier one stands: that one will ask again. 0 sets none."""
        if due and (not site.armed or due < site.armed):
            site.armed = due
            heappush(self._heap, (due, site.device.path, next(self._pushes), site))

    def drop(self, site: Site) -> None:
        """Void the timer of ``site``, which is forgotten."""
        site.armed = _NEVER
        self._dropped += 1
        if self._dropped > _DROPPED + len(self._heap) // 8:
            self._heap = [timer for timer in self._heap if timer[0] == timer[3].armed]
            heapify(self._heap)
            self._dropped = 0

    def next_due(self) -> Microseconds:
        """Return an instant before which no timer is due; 0 for never."""
        return self._heap[0][0] if self._heap else _NEVER

    def due_until(self, until: Microseconds) -> Iterator[tuple[Microseconds, Site]]:
        """Yield devices with the instants for which they were armed; those armed meanwhile as well."""
        while self._heap and self._heap[0][0] <= until:
            instant, _, _, site = heappop(self._heap)
            if instant == site.armed:
                site.armed = _NEVER
                yield instant, site
