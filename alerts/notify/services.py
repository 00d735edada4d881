"""Which messenger speaks to a service: our own where its answer must be read, Apprise for all the others."""

from datetime import tzinfo

from alerts.notify.apprise import AppriseMessenger
from alerts.notify.robots import RobotMessenger, is_robot
from alerts.notify.wording import Language
from core.clock import Clock


def service_messenger(
    url: str, *, language: Language, zone: tzinfo, base_url: str | None, clock: Clock
) -> RobotMessenger | AppriseMessenger:
    """Return the messenger for an address of docs/how-to/channels.md; ``per_minute`` on it is the service's limit.

    Raises `PermanentError` for an address that is none, saying what was expected, without showing it.
    """
    if is_robot(url):
        return RobotMessenger(url, language=language, zone=zone, base_url=base_url, clock=clock)
    return AppriseMessenger(url, language=language, zone=zone, base_url=base_url)
