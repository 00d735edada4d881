"""Devices whose time stands still, because messages of theirs wait to be decided (`alerts.scheduling`).

A *queue* is one device, or all devices that rules compare with each other. Once too many queues wait, all unregistered
devices without one share `SHARED`: names cost their inventor nothing, and a queue costs memory. While a queue is paused
its timers do not expire beyond the instant of its oldest message that waits. What happens to all devices at one
instant, such as the end of an absence of ours, reaches it when its own time gets there. So the same comes of its
messages as if none had waited. Only a wall clock that is set meanwhile, or rules that are replaced, count for it from
the next of its messages on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from alerts.assignments import Assignments
from alerts.memory import Microseconds
from alerts.model import Transition
from alerts.sites import Site
from core.devices import DeviceKey, DeviceKind

# Of the hours of a rule; a few milliseconds lie between any two readings of two clocks.
HOURS_MOVED: Microseconds = 1_000_000
_FOREVER: Microseconds = 1 << 62
SHARED = DeviceKey("", DeviceKind.SYSTEM, "")
Happening = tuple[Microseconds, Microseconds, Callable[[Site], None]]
"""What happens to every device at an instant, and for how long nothing was received before it."""


class Pause:
    """One queue: how far its time has come, and what waits until it goes on."""

    __slots__ = ("happenings", "queue", "timers", "until", "wall_ahead")

    def __init__(self, queue: DeviceKey, until: Microseconds, happenings: list[Happening]) -> None:
        self.queue = queue
        self.until = until
        self.happenings = happenings
        self.timers: list[tuple[Microseconds, Site]] = []
        self.wall_ahead: Microseconds | None = None
        """As its newest message had it; ``None`` before the first."""


class Pauses:
    """The queues that are paused; ``sites`` are all devices, ``run_timers`` and ``arm`` the engine's."""

    def __init__(
        self,
        assignments: Assignments,
        sites: Mapping[DeviceKey, Site],
        run_timers: Callable[[Microseconds], list[Transition]],
        arm: Callable[[Site, Microseconds], None],
    ) -> None:
        self._assignments = assignments
        self._sites = sites
        self._run_timers = run_timers
        self._arm = arm
        self._paused: dict[DeviceKey, Pause] = {}
        self._happenings: list[Happening] = []

    def __bool__(self) -> bool:
        return bool(self._paused)

    @property
    def groups(self) -> bool:
        """Whether rules and registry say which devices are in one queue: then a change of them may say otherwise."""
        return self._assignments.compares or SHARED in self._paused

    def queue_of(self, device: DeviceKey) -> DeviceKey:
        """Return what names the devices whose messages must come in one order."""
        own = self._assignments.queue_of(device)
        return SHARED if SHARED in self._paused and own not in self._paused and self.may_share(device) else own

    def may_share(self, device: DeviceKey) -> bool:
        """Tell whether ``device`` is an unregistered one that is compared with no other."""
        return not self._assignments.inventory.has(device) and self._assignments.queue_of(device) == device

    def begin(self, queue: DeviceKey, until: Microseconds) -> None:
        """Let the time of ``queue`` stand still at ``until``."""
        self._paused[queue] = Pause(queue, until, [each for each in self._happenings if each[0] > until])

    def end(self, queue: DeviceKey) -> list[Transition]:
        """Let it go on: what is due meanwhile happens with the engine's next message or tick."""
        pause = self._paused[queue]
        said = self._happen(pause, _FOREVER)
        self._arm_again(pause)
        del self._paused[queue]
        if not self._paused:
            self._happenings = []
        return said

    def clear(self) -> None:
        """Forget which queues are paused; they have to be named again before the next message or tick."""
        for pause in self._paused.values():
            self._arm_again(pause)
        self._paused = {}

    def of(self, device: DeviceKey) -> Pause | None:
        """Return the pause of the queue that a device is in."""
        return self._paused.get(self.queue_of(device)) if self._paused else None

    def running(self) -> Iterable[Site]:
        """Return the devices that are not paused."""
        sites = self._sites.values()
        return [site for site in sites if self.of(site.device.key) is None] if self._paused else sites

    def time_of(self, site: Site, now: Microseconds) -> Microseconds:
        """Return the time of ``site`` when it is ``now`` for devices that are not paused."""
        pause = self.of(site.device.key)
        return max(now if pause is None else pause.until, site.device.state.clock)

    def puts_aside(self, site: Site, instant: Microseconds) -> bool:
        """Keep a timer of ``site`` that expires at ``instant``, if its time has not come so far; tell whether."""
        pause = self.of(site.device.key)
        if pause is None or instant <= pause.until:
            return False
        pause.timers.append((instant, site))
        return True

    def happen(self, instant: Microseconds, length: Microseconds, change: Callable[[Site], None]) -> None:
        """Apply ``change`` to every device, to a paused one when its time comes to ``instant``."""
        for site in self.running():
            change(site)
        if self._paused:
            self._happenings.append((instant, length, change))
        for pause in self._paused.values():
            if instant > pause.until:
                pause.happenings.append((instant, length, change))

    def advance(self, pause: Pause, until: Microseconds) -> list[Transition]:
        """Let the time of a queue go on to ``until``; return what was due in it."""
        said = self._happen(pause, until)
        pause.until = max(pause.until, until)
        self._arm_again(pause)
        return said + self._run_timers(until)

    def take_wall_clock(self, pause: Pause, ahead: Microseconds) -> Iterable[Site]:
        """Let a queue go by the wall clock of its message; return its devices whose rules have other hours now."""
        if ahead == pause.wall_ahead:
            return ()
        pause.wall_ahead = ahead
        return list(set_wall_clock(self.members(pause.queue), ahead))

    def members(self, queue: DeviceKey) -> list[Site]:
        """Return the devices of a queue."""
        if queue.device:
            return [site] if (site := self._sites.get(queue)) is not None else []
        return [site for site in self._sites.values() if self.queue_of(site.device.key) == queue]

    def _happen(self, pause: Pause, until: Microseconds) -> list[Transition]:
        said: list[Transition] = []
        while pause.happenings and pause.happenings[0][0] <= until:
            instant, length, change = pause.happenings.pop(0)
            # What was due before the absence did happen then.
            pause.until = max(pause.until, instant - length)
            self._arm_again(pause)
            said += self._run_timers(pause.until)
            for site in self.members(pause.queue):
                change(site)
        return said

    def _arm_again(self, pause: Pause) -> None:
        timers, pause.timers = pause.timers, []
        for due, site in timers:
            self._arm(site, due)


def set_wall_clock(sites: Iterable[Site], ahead: Microseconds) -> Iterator[Site]:
    """Let ``sites`` go by another wall clock; yield those with rules that have hours."""
    for site in sites:
        if abs(ahead - site.device.wall_ahead) >= HOURS_MOVED:
            site.device.wall_ahead = ahead
            if any(post.rule.policy.calendar is not None for post in site.roster.in_order):
                yield site
