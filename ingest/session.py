"""The MQTT session: what the broker sends goes to the journal, and only then is it acknowledged (decision 0002)."""

import random
import select
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from hashlib import blake2b

import structlog

from core.clock import Clock
from core.errors import StartupError, TemporaryError
from core.observations import PAYLOAD_LIMIT_BYTES, Incoming
from ingest.backoff import Backoff
from ingest.broker_link import BrokerLink
from ingest.packets import Publish
from ingest.session_settings import SessionSettings as SessionSettings
from ingest.session_state import SessionState as SessionState
from ingest.session_state import SessionStats, StateBoard
from ingest.session_state import SessionStatus as SessionStatus

_log = structlog.get_logger()
# How often the connection is looked after: keep-alive, silence, stopping.
_LOOK_SECONDS = 0.5
_SETTLED = (SessionStatus.CONNECTED, SessionStatus.REFUSED, SessionStatus.STOPPED, SessionStatus.FAILED)


class _Stopping(Exception):
    """The session was asked to stop."""


class MqttSession:
    """Keeps one session with the broker in a thread of its own, through losses and refusals, until stopped.

    ``append`` is the journal's: durable when it returns, `TemporaryError` when it cannot be for now; then nothing is
    read, so the broker holds what comes. ``on_appended`` is told the newest position, in this thread.
    """

    def __init__(
        self,
        settings: SessionSettings,
        append: Callable[[Sequence[Incoming]], int],
        clock: Clock,
        on_appended: Callable[[int], None] | None = None,
    ) -> None:
        self._settings = settings
        self._append = append
        self._clock = clock
        self._on_appended = on_appended
        self._board = StateBoard(SessionState(SessionStatus.CONNECTING, settings.address, clock.now()))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt session", daemon=True)
        self._held: list[Publish] = []
        self.stats = SessionStats()
        self.failure: Future[None] = Future()

    @property
    def state(self) -> SessionState:
        """Where the session stands now; for any thread."""
        return self._board.state

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self, deadline_seconds: float = 5.0) -> None:
        """Journal and acknowledge what is in hand, say goodbye, and wait for the end; calling it again is harmless."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(deadline_seconds)

    def wait_ready(self, timeout_seconds: float) -> SessionState:
        """Return the state as soon as the broker has let us in or refused us, or after ``timeout_seconds``."""
        return self._board.wait(lambda state: state.status in _SETTLED, timeout_seconds)

    def _run(self) -> None:
        try:
            self._keep_connected()
        except _Stopping:
            self._post(SessionStatus.STOPPED, "")
            self.failure.set_result(None)
        except BaseException as error:  # noqa: BLE001 - a thread's border: whatever ended it must reach the app
            self._post(SessionStatus.FAILED, str(error))
            self.failure.set_exception(error)

    def _keep_connected(self) -> None:
        backoff = Backoff(self._settings.backoff_first, self._settings.backoff_most)
        waits = backoff.waits(random.random)
        while True:
            link = BrokerLink(self._settings)
            began = self._clock.now()
            try:
                self._live(link)
            finally:
                link.close()
            if link.accepted:
                self.stats.reconnects += 1
                if self._clock.now() - began > self._settings.backoff_most:
                    waits = backoff.waits(random.random)
            status = SessionStatus.REFUSED if link.refusal else SessionStatus.UNREACHABLE
            self._post(status, link.refusal or link.lost)
            if self._stop.wait(next(waits)):
                raise _Stopping

    def _live(self, link: BrokerLink) -> None:
        """Use one connection until it ends."""
        try:
            link.open()
        except StartupError:
            raise
        except OSError as error:
            link.lost = str(error) or type(error).__name__
            return
        if self._be_let_in(link):
            self.stats.connections += 1
            self._post(SessionStatus.CONNECTED, "")
            _Receiver(self, link).receive()

    def _be_let_in(self, link: BrokerLink) -> bool:
        """Wait for the broker's answer, and subscribe where its session does not know our subscriptions."""
        held: list[Publish] = []
        if not self._until(link, lambda: link.accepted, held):
            return False
        # Subscribing anew is harmless, and needed at a process's first connection: the list may have changed.
        if not link.session_present or self.stats.connections == 0:
            link.subscribe()
            if not self._until(link, lambda: link.subscribed is not None, held) or link.refusal:
                return False
        self._held = held
        return True

    def _until(self, link: BrokerLink, answered: Callable[[], bool], held: list[Publish]) -> bool:
        end = time.monotonic() + self._settings.connect_timeout.total_seconds()
        poll = select.poll()
        poll.register(link.socket.fileno(), select.POLLIN)
        while not answered() and not link.lost:
            left = end - time.monotonic()
            if left <= 0:
                link.lost = "the broker did not answer in time"
                return False
            if self._stop.is_set():
                raise _Stopping
            if poll.poll(min(left, _LOOK_SECONDS) * 1_000):
                held += link.read()[0]
            link.look_after()
        return answered() and not link.lost

    def take_held(self) -> list[Publish]:
        """Return the messages that came while the broker was answering."""
        held, self._held = self._held, []
        return held

    def _post(self, status: SessionStatus, detail: str) -> None:
        if self._board.post(status, detail, self._clock.now()):
            _log.info(f"mqtt.{status.value}", broker=self._settings.address, detail=detail)

    # What the receiver of one connection uses.

    @property
    def settings(self) -> SessionSettings:
        return self._settings

    @property
    def stopping(self) -> threading.Event:
        return self._stop

    def incoming(self, publish: Publish) -> Incoming:
        """Return ``publish`` as the journal takes it."""
        topic, payload, _ = publish
        digest = blake2b(topic, digest_size=8)
        digest.update(b"\0")
        digest.update(payload)
        kept = payload if len(payload) <= PAYLOAD_LIMIT_BYTES else payload[:PAYLOAD_LIMIT_BYTES]
        return Incoming(
            topic.decode("utf-8", "replace"),
            kept,
            len(payload),
            self._clock.now(),
            int.from_bytes(digest.digest(), "big", signed=True),
        )

    def keep(self, batch: Sequence[Incoming]) -> None:
        """Make ``batch`` durable. Raises `TemporaryError`."""
        began = time.perf_counter()
        position = self._append(batch)
        self.stats.append_seconds += time.perf_counter() - began
        self.stats.appended += len(batch)
        self.stats.batches += 1
        self.stats.last_message_at = batch[-1].received_at
        if self._on_appended is not None:
            self._on_appended(position)

    def blocked(self, error: TemporaryError) -> None:
        """Say that the journal takes nothing for now."""
        self.stats.append_failures += 1
        self._post(SessionStatus.BLOCKED, str(error))

    def unblocked(self) -> None:
        """Say that the journal takes messages again."""
        if self.state.status is SessionStatus.BLOCKED:
            self._post(SessionStatus.CONNECTED, "")


class _Receiver:
    """Receives on one connection: collect, append, acknowledge."""

    def __init__(self, session: MqttSession, link: BrokerLink) -> None:
        self._session = session
        self._link = link
        self._batch: list[Incoming] = []
        self._mids: list[int] = []
        self._first_at = 0.0
        self._heard_at = time.monotonic()
        self._looked_at = 0.0
        self._poll = select.poll()
        self._poll.register(link.socket.fileno(), select.POLLIN)

    def receive(self) -> None:
        """Receive until the connection ends; raises `_Stopping` after a proper goodbye."""
        self._collect(self._session.take_held())
        while not self._link.lost:
            self._collect_for(self._wait_seconds())
            if self._batch and self._is_due():
                self._flush()
            self._look_after()
        # What is unacknowledged comes again: it must not be acknowledged on another connection.

    def _wait_seconds(self) -> float:
        if not self._batch:
            return _LOOK_SECONDS
        return max(0.0, self._first_at + self._session.settings.linger.total_seconds() - time.monotonic())

    def _is_due(self) -> bool:
        settings = self._session.settings
        full = len(self._batch) >= settings.batch_limit
        return full or time.monotonic() - self._first_at >= settings.linger.total_seconds()

    def _collect_for(self, seconds: float) -> None:
        self._poll.modify(
            self._link.socket.fileno(), select.POLLIN | (select.POLLOUT if self._link.socket.wants_write else 0)
        )
        if self._poll.poll(seconds * 1_000):
            self._link.socket.flush()
            more = True
            while more and len(self._batch) < self._session.settings.batch_limit:
                publishes, more = self._link.read()
                self._collect(publishes)

    def _collect(self, publishes: list[Publish]) -> None:
        if not publishes:
            return
        self._heard_at = time.monotonic()
        if not self._batch:
            self._first_at = self._heard_at
        incoming = self._session.incoming
        for publish in publishes:
            self._batch.append(incoming(publish))
            self._mids.append(publish[2])
        self._session.stats.received += len(publishes)

    def _flush(self) -> None:
        """Append in steps of the batch limit, acknowledging each; a journal that cannot for now is waited for."""
        limit = self._session.settings.batch_limit
        while self._batch and not self._link.lost:
            self._append(self._batch[:limit])
            mids = self._mids[:limit]
            del self._batch[:limit], self._mids[:limit]
            self._link.acknowledge(mids)
            self._session.stats.acked += len(mids)

    def _append(self, batch: Sequence[Incoming]) -> None:
        waits = Backoff().waits(random.random)
        while True:
            try:
                self._session.keep(batch)
            except TemporaryError as error:
                self._session.blocked(error)
            else:
                self._session.unblocked()
                return
            if self._session.stopping.wait(next(waits)):
                raise _Stopping
            self._link.ping_unread()

    def _look_after(self) -> None:
        now = time.monotonic()
        if self._session.stopping.is_set():
            self._flush()
            self._link.disconnect()
            raise _Stopping
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        self._link.look_after()
        limit = self._session.settings.silence_limit
        if limit is not None and now - self._heard_at > limit.total_seconds() and not self._link.lost:
            self._session.stats.silences += 1
            self._link.lost = f"nothing heard for {limit.total_seconds():.0f} s although connected"
