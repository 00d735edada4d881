"""What happens on one connection: be let in, then collect, append, acknowledge, until it ends."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from core.clock import Clock, wall_ahead
from core.errors import CorruptJournal, TemporaryError
from core.observations import Incoming
from ingest.backoff import Backoff
from ingest.batch import Batch
from ingest.broker_link import BrokerLink
from ingest.session_settings import SessionSettings
from ingest.session_state import SessionStats, SessionStatus, StateBoard
from ingest.waiting import StopSignal

_log = structlog.get_logger()
# How often the connection is looked after: keep-alive and silence.
_LOOK_SECONDS = 0.5
_FAREWELL_SECONDS = 1.0
# Deadlines, keep-alive and the stop signal are looked at in between; a full batch takes a few milliseconds.
_READ_SECONDS = 0.2
# A link that comes and goes is logged this often a minute; its counters and the present state tell the rest.
_QUIET_SECONDS = 60.0
_LINES_AT_ONCE = 3
# A journal that is locked is free again within moments, a full disk is mended by a person.
_JOURNAL_BACKOFF = Backoff(timedelta(milliseconds=100), timedelta(seconds=5))


@dataclass
class Surroundings:
    """What outlives a connection."""

    settings: SessionSettings
    append: Callable[[Sequence[Incoming]], int]
    clock: Clock
    on_appended: Callable[[int], None] | None
    board: StateBoard
    stats: SessionStats = field(default_factory=SessionStats)
    batch: Batch = field(default_factory=Batch)
    logged: "Quiet" = field(default_factory=lambda: Quiet(_QUIET_SECONDS, time.monotonic))

    def post(self, status: SessionStatus, detail: str = "") -> None:
        """Show where the session stands; logged when it is something new, and once a minute when it flaps."""
        if self.board.post(status, detail, self.clock.now()):
            left_out = self.logged.left_out(status)
            if left_out is None:
                return
            fine = status in (SessionStatus.CONNECTED, SessionStatus.STOPPED)
            log = _log.info if fine else _log.warning
            more = {"left_out": left_out} if left_out else {}
            log(f"mqtt.{status.value}", broker=self.settings.address, detail=detail, **more)


class Quiet:
    """Lets the same kind of line be written so often at once, then once in ``seconds``, with a count of the others."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._kinds: dict[str, tuple[float, int, int]] = {}

    def left_out(self, kind: str) -> int | None:
        """Return how many lines of ``kind`` were left out before this one, `None` when this one is left out too."""
        now = self._monotonic()
        began, written, left_out = self._kinds.get(kind, (now, 0, 0))
        if now - began >= self._seconds:
            began, written = now, 0
        if written >= _LINES_AT_ONCE:
            self._kinds[kind] = (began, written, left_out + 1)
            return None
        self._kinds[kind] = (began, written + 1, 0)
        return left_out


class Receiver:
    """Receives on one connection. No method returns later than the ``stop`` signal by more than one append."""

    def __init__(self, surroundings: Surroundings, link: BrokerLink, stop: StopSignal) -> None:
        self._around = surroundings
        self._settings = surroundings.settings
        self._stats = surroundings.stats
        self._batch = surroundings.batch
        self._link = link
        self._stop = stop
        # With fewer in flight than a full batch, waiting for more would wait in vain. This also bounds what is in hand
        # (to it and one read): Mosquitto 2.0.11 exceeds the receive maximum once messages are acknowledged.
        in_flight = self._settings.receive_maximum if self._settings.protocol == "5" else self._settings.batch_limit
        self._limit = min(self._settings.batch_limit, in_flight)
        self._more = False
        self._first_at = self._heard_at = time.monotonic()
        self._looked_at = self._pinged_at = 0.0

    def be_let_in(self, *, subscribe: bool) -> bool:
        """Wait for the broker's answer; subscribe when told to, or when the broker has no session of ours."""
        if not self._until(lambda: self._link.accepted):
            return False
        if subscribe or not self._link.session_present:
            self._link.subscribe()
            # Refused in part is refused: a part that never arrives must not look like a quiet one.
            return self._until(lambda: self._link.subscribed is not None) and not self._link.refusal
        return True

    def _until(self, answered: Callable[[], bool]) -> bool:
        end = time.monotonic() + self._settings.connect_timeout.total_seconds()
        while not answered() and not self._link.lost and not self._stop.is_set():
            left = end - time.monotonic()
            if left <= 0:
                self._link.lost = "the broker did not answer in time"
            else:
                self._wait_for_messages(min(left, _LOOK_SECONDS))
                self._read()
                # A session with a backlog sends it before it answers, and a full batch in hand would end the reading.
                if len(self._batch) >= self._limit:
                    self._flush()
                self._look_after()
        return answered() and not self._link.lost

    def receive(self) -> None:
        """Receive until the connection ends or we are told to stop; then what is in hand is stored and acknowledged."""
        self._heard_at = time.monotonic()
        while not self._link.lost and not self._stop.is_set():
            if not self._batch:
                self._wait_for_messages(_LOOK_SECONDS)
                self._read()
            self._gather()
            self._flush()
            self._look_after()
        if not self._link.lost:
            self._say_goodbye()

    def _wait_for_messages(self, seconds: float) -> None:
        # Bytes that TLS has decrypted already are nothing that poll could see.
        if not self._more:
            socket = self._link.socket
            self._stop.wait_for(socket.fileno(), seconds, read=True, write=socket.wants_write)

    def _gather(self) -> None:
        """Let a batch grow for the rest of its linger, without looking at the socket: a look costs as much as a read.

        At 8,000 messages a second this took the cost of a message from 31 to 14 µs.
        """
        if self._batch and len(self._batch) < self._limit and not self._more and not self._link.lost:
            self._stop.wait(self._first_at + self._settings.linger.total_seconds() - time.monotonic())
            self._read()

    def _read(self) -> None:
        """Read what is there, up to a full batch; a broker that sends something else without end is left for a look."""
        self._link.socket.flush()
        self._more = True
        end = time.monotonic() + _READ_SECONDS
        while self._more and len(self._batch) < self._limit and time.monotonic() < end:
            publishes, self._more = self._link.read()
            if publishes:
                self._heard_at = time.monotonic()
                if not self._batch:
                    self._first_at = self._heard_at
                clock = self._around.clock
                self._batch.add(publishes, clock.now(), wall_ahead(clock))
                self._stats.received += len(publishes)

    def _flush(self) -> None:
        """Append in steps of the batch limit and acknowledge each; nothing of a lost connection is acknowledged."""
        while self._batch and not self._link.lost:
            messages, mids = self._batch.head(self._settings.batch_limit)
            if not self._append(messages):
                return
            self._batch.drop_head(len(messages))
            self._link.acknowledge(mids)
            self._stats.acked += len(mids) - mids.count(0)

    def _append(self, messages: Sequence[Incoming]) -> bool:
        """Make ``messages`` durable, however long it takes; give up only with the connection or when told to stop."""
        waits = _JOURNAL_BACKOFF.waits(random.random)
        while True:
            try:
                self._append_once(messages)
            except (TemporaryError, CorruptJournal) as error:
                # Damage too: the broker holds what comes until the journal was rescued, and is told nothing.
                self._stats.append_failures += 1
                self._around.post(SessionStatus.BLOCKED, str(error))
            else:
                if self._around.board.state.status is SessionStatus.BLOCKED:
                    self._around.post(SessionStatus.CONNECTED)
                return True
            if not self._hold(next(waits)):
                return False

    def _append_once(self, messages: Sequence[Incoming]) -> None:
        began = time.perf_counter()
        position = self._around.append(messages)
        self._stats.append_seconds += time.perf_counter() - began
        self._stats.appended += len(messages)
        self._stats.batches += 1
        self._stats.last_message_at = messages[-1].received_at
        if self._around.on_appended is not None:
            self._around.on_appended(position)

    def _hold(self, seconds: float) -> bool:
        """Wait without reading, which holds the broker back; return False when the connection ends or we are to stop.

        Pings go out unasked, past paho, which would hang up for want of the answers that nobody reads. Brokers hang up
        after 1.5 keep-alives of silence; a look every quarter lets two pings be late before that.
        """
        end = time.monotonic() + seconds
        while not self._link.lost and not self._stop.is_set() and (left := end - time.monotonic()) > 0:
            look = min(left, self._settings.keepalive_seconds / 4)
            if self._stop.wait_for(self._link.socket.fileno(), look):
                self._link.lost = self._link.lost or "the broker hung up while the journal took nothing"
            self._heard_at = now = time.monotonic()
            if now - self._pinged_at >= self._settings.keepalive_seconds / 2:
                self._pinged_at = now
                self._link.ping_unread()
        return not self._link.lost and not self._stop.is_set()

    def _look_after(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS or self._link.lost:
            return
        self._looked_at = now
        self._link.look_after()
        limit = self._settings.silence_limit
        if limit is not None and now - self._heard_at > limit.total_seconds() and not self._link.lost:
            self._stats.silences += 1
            self._link.silent = True
            self._link.lost = f"no message for {limit.total_seconds():g} s although connected"

    def _say_goodbye(self) -> None:
        self._flush()
        end = time.monotonic() + _FAREWELL_SECONDS
        socket = self._link.socket
        while socket.wants_write and not self._link.lost and time.monotonic() < end:
            # The stop signal ends waits, so this one goes by short looks.
            time.sleep(0.01)
            socket.flush()
        if not self._link.lost:
            self._link.disconnect()
