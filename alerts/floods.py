"""Who sends more than may be decided at once, told as components ``device-floods/…`` and ``community-floods/…``."""

from alerts.memory import Microseconds
from core.devices import DeviceKey

_SECOND: Microseconds = 1_000_000
# Ours: as many as a device may send together by default. A gateway that forwards what it kept while its link was away
# defers some; that is no reason to look for it.
TOLD_FROM = 500
# Ours: who floods does so in waves.
QUIET_FOR: Microseconds = 60 * _SECOND
# Each is an alert; a stolen account can speak for every device of its community.
NAMED_AT_MOST = 20
_REMEMBERED = 1_000


class _Flood:
    __slots__ = ("deferred", "quiet_from")

    def __init__(self) -> None:
        self.deferred = 0
        self.quiet_from: Microseconds | None = None
        """When somebody looked first after the last message."""


class FloodWatch:
    """Counts deferred messages by device and by community. A flood is over when none was deferred for `QUIET_FOR`."""

    def __init__(self) -> None:
        self._floods: dict[DeviceKey | str, _Flood] = {}

    def note(self, sender: DeviceKey | str) -> None:
        """Count a message of a device, or of a community as a whole, that was deferred."""
        flood = self._floods.get(sender)
        if flood is None:
            if len(self._floods) >= _REMEMBERED:
                return
            flood = self._floods[sender] = _Flood()
        flood.deferred += 1
        flood.quiet_from = None

    def forget(self, now: Microseconds) -> None:
        """Forget those who have been quiet for long at ``now``."""
        for sender, flood in list(self._floods.items()):
            if flood.quiet_from is None:
                flood.quiet_from = now
            elif flood.quiet_from <= now - QUIET_FOR:
                del self._floods[sender]

    def problems(self) -> dict[str, str]:
        """Return the components, each with what to do; longest flooding first."""
        problems: dict[str, str] = {}
        for sender, flood in self._floods.items():
            if flood.deferred >= TOLD_FROM and len(problems) < NAMED_AT_MOST:
                name = f"device-floods/{sender.path}" if isinstance(sender, DeviceKey) else f"community-floods/{sender}"
                problems[name] = _WORDS
        return problems


# Without a figure: it would change with every look, and the alert with it.
_WORDS = (
    "消息过多，超出部分已保存并稍后处理，不影响其他设备；请检查设备或其账号 / "
    "sends more than its budget: the excess is kept and decided later, other devices are not delayed;"
    " check the device and its account"
)
