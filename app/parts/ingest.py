"""The part that listens: MQTT session, journal, telemetry writer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from app import descriptors, heartbeat, wiring
from app.code_lists import put_in_force
from app.disk import DiskWatch
from app.doorbell import Doorbell
from app.heartbeat import Pulse
from app.services import Service, Supervisor
from app.settings import Settings
from core.clock import Clock
from core.errors import StartupError
from ingest.housekeeping import Housekeeping
from ingest.session import MqttSession, SessionStatus
from ingest.writer import TelemetryWriterService
from storage.journal.sqlite import SqliteJournal


class Ingest:
    """MQTT session, journal, telemetry writer."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        doorbell: Doorbell,
        supervisor: Supervisor,
        disks: DiskWatch | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._doorbell = doorbell
        self._supervisor = supervisor
        self.disks = disks or wiring.disk_watch(settings, messages=True)
        self.session: MqttSession
        self.writer: TelemetryWriterService
        self.journal: SqliteJournal

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Mapping[str, Service]]:
        """Open files and connections; yield the services to run; close in the opposite order."""
        settings, clock = self._settings, self._clock
        await asyncio.to_thread(self.disks.prepare)
        await asyncio.to_thread(put_in_force, settings.codes.files)  # The part that decides tells what is wrong there.
        journal = self.journal = await asyncio.to_thread(wiring.journal, settings, appending=True)
        self._doorbell.attach()
        self._doorbell.ring(journal.last_position())
        store = wiring.telemetry(settings)
        self.session = MqttSession(wiring.session_settings(settings), journal.append, clock, self._doorbell.ring)
        self.writer = TelemetryWriterService(
            journal,
            wiring.decoder(settings),
            store,
            clock,
            wait_for_more=self._doorbell.wait,
            settings=wiring.writer_settings(settings),
        )
        housekeeping = Housekeeping(
            journal,
            store,
            clock,
            max_age=settings.journal_age,
            max_bytes=settings.journal.max_bytes,
            retention=settings.retention,
        )
        self.session.start()
        try:
            yield {
                "mqtt session": Service(self._session_ended, vital=True),
                "telemetry writer": Service(self.writer.run),
                "housekeeping": Service(housekeeping.run),
                "disk space": Service(self.disks.run),
                "ingest heartbeat": Service(lambda: heartbeat.beat(settings.var, "ingest", clock, self.pulse)),
            }
        finally:
            await asyncio.to_thread(self.session.stop)
            await store.close()
            await asyncio.to_thread(journal.close)

    async def _session_ended(self) -> None:
        # Shielded: cancelling us must not cancel the future that the session's thread will still set.
        await asyncio.shield(asyncio.wrap_future(self.session.failure))

    async def ready(self) -> None:
        """Return when the broker has let us in; raises `StartupError` in one line when it does not."""
        mqtt = self._settings.mqtt
        state = await asyncio.to_thread(self.session.wait_ready, mqtt.startup_seconds)
        if state.status is not SessionStatus.CONNECTED:
            raise StartupError(f"broker {mqtt.host}:{mqtt.port}: {state.detail or state.status.value}")

    def pulse(self) -> Pulse:
        """Return how ingest does, with its counters."""
        link, received, written = self.session.state, self.session.stats, self.writer.stats
        up = link.status is SessionStatus.CONNECTED
        problems = {**self._supervisor.problems(), **self.disks.problems, **descriptors.problems()}
        problems |= self.journal.problems()
        return Pulse(
            "up" if up and not problems else "degraded",
            f"broker: {link.status.value} {link.detail}".strip() + f"; telemetry: {written.detail or 'writing'}",
            {
                "received_total": received.received,
                "journaled_total": received.appended,
                "acknowledged_total": received.acked,
                "reconnects_total": received.reconnects,
                "link_failures_total": received.link_failures,
                "protocol_errors_total": received.protocol_errors,
                "written_messages_total": written.messages,
                "written_points_total": written.points,
                "rejected_total": written.rejected,
                "write_retries_total": written.retries,
                "written_position": written.position,
                "broker_connected": float(up),
                "trimmed_for_room_total": self.journal.trimmed_for_room,
                **descriptors.figures(),
            },
            problems,
        )
