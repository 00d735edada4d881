"""What a failed delivery tells the deliverer beyond its text."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from core.errors import TemporaryError


class TryLater(TemporaryError):
    """The receiver is there and said when to come back: in ``retry_after`` seconds, where it named an instant."""

    def __init__(self, text: str, retry_after: float | None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


def asked_pause(header: str | None, now: datetime) -> float | None:
    """Return the seconds an HTTP ``Retry-After`` asks for, as seconds or as a date; ``None`` for anything else."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header)
    try:
        instant = parsedate_to_datetime(header)
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return max(0.0, (instant - now).total_seconds())
