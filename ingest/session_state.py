"""What can be seen of the session from other threads."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SessionStatus(StrEnum):
    """Where the session stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"
    """The broker answered and does not want us, or not our subscription; tried again all the same."""
    UNREACHABLE = "unreachable"
    """No connection, or it was lost; tried again."""
    BLOCKED = "blocked"
    """Connected, but the journal takes nothing: nothing is read and nothing acknowledged until it does."""
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class SessionState:
    """Where the session stands, one line for a person, and since when."""

    status: SessionStatus
    detail: str
    since: datetime


@dataclass
class SessionStats:
    """Counted since the start; written by the session's thread alone."""

    received: int = 0
    appended: int = 0
    acked: int = 0
    batches: int = 0
    append_seconds: float = 0.0
    append_failures: int = 0
    connections: int = 0
    reconnects: int = 0
    silences: int = 0
    link_failures: int = 0
    """Connections that were lost, refused or could not be made."""
    protocol_errors: int = 0
    """Of them, those on which the broker sent what is no MQTT."""
    last_message_at: datetime | None = None


class StateBoard:
    """The present state, for any thread to read or wait for."""

    def __init__(self, first: SessionState) -> None:
        self._state = first
        self._changed = threading.Condition()

    @property
    def state(self) -> SessionState:
        return self._state

    def post(self, status: SessionStatus, detail: str, now: datetime) -> bool:
        """Set the state; return whether it differs from the one before."""
        with self._changed:
            if (status, detail) == (self._state.status, self._state.detail):
                return False
            self._state = SessionState(status, detail, now)
            self._changed.notify_all()
            return True

    def wait(self, wanted: Callable[[SessionState], bool], timeout_seconds: float) -> SessionState:
        """Return the first state that is ``wanted``, or the present one after ``timeout_seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: wanted(self._state), timeout_seconds)
            return self._state
