"""How the session with the broker is set up."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class SessionSettings:
    """The broker, who we are to it, and the patience we have; the password never shows in ``repr``."""

    host: str
    client_id: str
    """Fixed for the life of an installation: the broker keeps our messages under it."""
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    receive_maximum: int = 1_000
    """Unacknowledged messages at once; MQTT 5 only, with 3.1.1 the broker's own setting decides."""
    session_expiry: timedelta = timedelta(days=7)
    """How long the broker keeps our messages while we are away; MQTT 5 only."""
    keepalive_seconds: int = 30
    subscriptions: tuple[str, ...] = ("anju/v1/#",)
    linger: timedelta = timedelta(milliseconds=5)
    """How long a batch waits for company after its first message."""
    batch_limit: int = 500
    silence_limit: timedelta | None = timedelta(minutes=5)
    """Reconnect after no message for this long, although connected; ``None`` never does."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """For the connection, and again for the broker's answer to it."""
    backoff_first: timedelta = timedelta(milliseconds=500)
    backoff_most: timedelta = timedelta(seconds=30)

    @property
    def address(self) -> str:
        """The broker for a person to read."""
        return f"{self.host}:{self.port}"
