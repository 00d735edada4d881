"""The MQTT session: what the broker sends goes to the journal, and only then is it acknowledged (decision 0002)."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace

import structlog

from core.clock import Clock
from core.observations import Incoming
from ingest.backoff import Backoff
from ingest.broker_link import BrokerLink
from ingest.receiver import Receiver, Surroundings
from ingest.session_settings import SessionSettings as SessionSettings
from ingest.session_state import SessionState as SessionState
from ingest.session_state import SessionStats as SessionStats
from ingest.session_state import SessionStatus as SessionStatus
from ingest.session_state import StateBoard
from ingest.waiting import StopSignal

_log = structlog.get_logger()
_SETTLED = (SessionStatus.CONNECTED, SessionStatus.REFUSED, SessionStatus.STOPPED, SessionStatus.FAILED)


class MqttSession:
    """Keeps one session with the broker in a thread of its own, through losses and refusals, until stopped.

    ``append`` is the journal's: durable when it returns, `TemporaryError` when it cannot be for now; then nothing is
    read, so the broker holds what comes. ``on_appended`` is told the newest position, in this thread.
    ``failure`` is done when the thread has ended: with `None` after `stop`, else with what ended it.
    """

    def __init__(
        self,
        settings: SessionSettings,
        append: Callable[[Sequence[Incoming]], int],
        clock: Clock,
        on_appended: Callable[[int], None] | None = None,
    ) -> None:
        self._settings = settings
        board = StateBoard(SessionState(SessionStatus.CONNECTING, settings.address, clock.now()))
        self._around = Surroundings(settings, append, clock, on_appended, board)
        self._thread: threading.Thread | None = None
        self._stop: StopSignal | None = None
        self._subscribe = True
        self.failure: Future[None] = Future()

    @property
    def state(self) -> SessionState:
        """Where the session stands now; for any thread."""
        return self._around.board.state

    @property
    def stats(self) -> SessionStats:
        """What was counted so far, a copy; for any thread."""
        return replace(self._around.stats)

    def start(self) -> None:
        """Begin, in a thread of its own; once."""
        self._stop = StopSignal()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name="mqtt session", daemon=True)
        self._thread.start()

    def stop(self, deadline_seconds: float = 5.0) -> bool:
        """Journal and acknowledge what is in hand, say goodbye, and wait for the end; calling it again is harmless.

        Returns False when that was not done by the deadline: what is unacknowledged then comes again.
        """
        if self._thread is None or self._stop is None:
            return True
        self._stop.set()
        self._thread.join(deadline_seconds)
        return not self._thread.is_alive()

    def wait_ready(self, timeout_seconds: float) -> SessionState:
        """Return the state as soon as the broker has let us in or refused us, or after ``timeout_seconds``."""
        return self._around.board.wait(lambda state: state.status in _SETTLED, timeout_seconds)

    def _run(self, stop: StopSignal) -> None:
        try:
            self._keep_connected(stop)
        except Exception as error:  # noqa: BLE001 - a thread's border: whatever ended it must reach the app
            self._around.post(SessionStatus.FAILED, str(error) or type(error).__name__)
            self.failure.set_exception(error)
        else:
            self._around.post(SessionStatus.STOPPED)
            self.failure.set_result(None)
        finally:
            stop.close()

    def _keep_connected(self, stop: StopSignal) -> None:
        waits = self._waits()
        while not stop.is_set():
            began = time.monotonic()
            link = BrokerLink(self._settings)
            try:
                self._live(link, stop)
            finally:
                link.close()
                # Its identifiers mean nothing to the next connection, where the broker sends all of it again.
                self._around.batch.drop_unacknowledged()
            if not stop.is_set():
                self._note_end(link)
                # A broker that lets in and hangs up at once is no reason to knock faster.
                if time.monotonic() - began > self._settings.backoff_most.total_seconds():
                    waits = self._waits()
                stop.wait(next(waits))

    def _waits(self) -> Iterator[float]:
        return Backoff(self._settings.backoff_first, self._settings.backoff_most).waits(random.random)

    def _live(self, link: BrokerLink, stop: StopSignal) -> None:
        """Use one connection until it ends."""
        try:
            link.open()
        except OSError as error:
            link.lost = str(error) or type(error).__name__
            return
        receiver = Receiver(self._around, link, stop)
        # At a process's first connection too: the list of subscriptions may have changed.
        if receiver.be_let_in(subscribe=self._subscribe):
            self._subscribe = False
            stats = self._around.stats
            stats.connections += 1
            stats.reconnects = stats.connections - 1
            self._around.post(SessionStatus.CONNECTED)
            receiver.receive()

    def _note_end(self, link: BrokerLink) -> None:
        self._subscribe = self._subscribe or link.silent
        self._around.stats.link_failures += 1
        self._around.stats.protocol_errors += link.garbled
        status = SessionStatus.REFUSED if link.refusal else SessionStatus.UNREACHABLE
        self._around.post(status, link.refusal or link.lost)
