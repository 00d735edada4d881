"""Absences of ours: silence in which nothing at all was received proves nothing of any device."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from alerts.memory import Microseconds
from alerts.pausing import Pauses
from alerts.sites import Site
from core.clock import to_microseconds
from core.devices import DeviceKey

_MICROSECOND = timedelta(microseconds=1)
_NEVER = 0
_NO_TIME = timedelta(0)


class OwnAbsences:
    """Lets devices count silence from the end of an absence; paused ones when their time gets there.

    Where the journal is read again, devices that were decided beyond the absence are left alone.
    """

    def __init__(
        self,
        sites: Mapping[DeviceKey, Site],
        pauses: Pauses,
        *,
        hear: Callable[[Site, Microseconds, Microseconds], None],
        mark_dirty: Callable[[Site], None],
    ) -> None:
        self._sites = sites
        self._pauses = pauses
        self._hear = hear
        self._mark_dirty = mark_dirty

    def forgive_silence(self, now: datetime, unheard_for: timedelta, unread: timedelta = _NO_TIME) -> bool:
        """Measure all silence from ``now`` on, if nothing at all was heard for ``unheard_for``; tell whether.

        To be called once after a start: then it was most likely us who did not listen, and silence proves nothing.
        ``unread`` is for how long the journal holds nothing before ``now``, for what was read before.
        """
        newest = max((site.device.state.heard.anything for site in self._sites.values()), default=_NEVER)
        instant, length = _absence(now, newest, unread)
        if not newest or length < unheard_for // _MICROSECOND:
            return False

        def forgive(site: Site) -> None:
            if site.device.state.heard.anything < instant:
                self._hear(site, instant, length)

        self._pauses.happen(instant, length, forgive)
        return True

    def doubt_offline(self, now: datetime, unheard_for: timedelta, unread: timedelta = _NO_TIME) -> None:
        """Let each *offline* count from ``now`` on, if nothing was decided for ``unheard_for``; for starts as well."""
        newest = max((site.device.state.clock for site in self._sites.values()), default=_NEVER)
        instant, length = _absence(now, newest, unread)
        if length < unheard_for // _MICROSECOND:
            return

        def doubt(site: Site) -> None:
            if site.device.state.clock < instant and site.doubt_offline(instant):
                self._mark_dirty(site)

        self._pauses.happen(instant, length, doubt)


def _absence(now: datetime, newest: Microseconds, unread: timedelta) -> tuple[Microseconds, Microseconds]:
    """Return when it ended, and how long it was."""
    instant = to_microseconds(now)
    return instant, max(instant - newest, unread // _MICROSECOND)
