"""``anju run``: everything in one process, with a broker of its own and, unless unwanted, the demo community."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from alerts.dispatch.plan import reaches_people
from alerts.history import AlertFilter
from app import broker, terminal, wiring
from app.demo import put_codes, tell_facts
from app.doorbell import Doorbell
from app.parts import Alerts, Api, Ingest
from app.services import Service, Supervisor, serve
from app.settings import Settings
from core.clock import Clock
from core.errors import AnjuError
from emergency.model import CallFilter
from simulators.run import SimulationOptions, simulate
from simulators.spec import load


class App:
    """The whole of Anju in one process; ``stopping`` ends it."""

    def __init__(self, settings: Settings, clock: Clock, *, simulation: SimulationOptions | None) -> None:
        self._settings = settings
        self._clock = clock
        self._simulation = simulation
        self._doorbell = Doorbell()
        self._help = ""
        self._supervisor = Supervisor()
        # One watch for all: the parts run it under one name, so it runs once.
        disks = wiring.disk_watch(settings, messages=True, records=True)
        self.ingest = Ingest(settings, clock, self._doorbell, self._supervisor, disks)
        self.alerts = Alerts(settings, clock, self._doorbell, self._supervisor, disks)
        self.api = Api(settings, clock, self._supervisor, disks)

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until ``stopping`` is set; raises `AnjuError` in one line when it cannot start or something fails."""
        wiring.prepare_folder(self._settings)
        await serve(stopping, self._opened(), self._supervisor)

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[dict[str, Service]]:
        async with contextlib.AsyncExitStack() as stack:
            services: dict[str, Service] = {}
            services |= await stack.enter_async_context(self.api.opened())
            broker_name = await stack.enter_async_context(_broker(self._settings))
            services |= await stack.enter_async_context(self.ingest.opened())
            services |= await stack.enter_async_context(self.alerts.opened())
            # A call that the API has kept is delivered at once, not when the deliverer looks next.
            self.api.calling.switchboard.on_pages = self.alerts.notifying.deliverer.wake
            await self.ingest.ready()
            if self._simulation is not None:
                community = load(self._simulation.community)
                await tell_facts(self.api.registry, community, self._clock.now())
                self._help = await put_codes(self.api.points, self.api.point_tokens, community, self._clock.now())
                services["simulators"] = Service(self._simulate)
            if terminal.is_live():
                services["status line"] = Service(lambda: terminal.show_live(self._status))
            self._greet(broker_name)
            yield services

    async def _simulate(self) -> None:
        assert self._simulation is not None  # noqa: S101 - run() looked
        stopping = asyncio.Event()
        running = asyncio.ensure_future(simulate(self._simulation, self._clock, stopping))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            stopping.set()
            await running
            raise

    def _greet(self, broker_name: str) -> None:
        settings = self._settings
        address = f"http://{settings.api.host}:{settings.api.port}"
        influx = settings.telemetry.store == "influx"
        token = self.api.new_token
        rows = {
            "broker": f"{broker_name} on {settings.mqtt.host}:{settings.mqtt.port}",
            "journal": settings.journal_path,
            "telemetry": f"InfluxDB at {settings.influx.url}" if influx else settings.telemetry_path,
            "records": settings.var / "records.sqlite" if settings.records.url is None else "the database you set",
            "devices": "the simulated demo community" if self._simulation else "yours",
            "told": settings.notify.plan or "topic anju-notify/v1/… of the broker, until you write a plan",
            "API": f"{address}/api/v1/alerts",
            "live": f"{address}/api/v1/stream",
            "reference": f"{address}/docs",
            "desk": f"{address}/desk  (sign in with the token)",
            "help": f"{address}{self._help}  (the page behind the QR code of the first lift)" if self._help else "",
            "token": f"{token}  (shown only now)"
            if token
            else "as shown at the first start; another: anju token add NAME",
            "try": f"curl -H 'Authorization: Bearer {token or 'TOKEN'}' {address}/api/v1/alerts",
        }
        print("\nAnju 安居 is running; Ctrl-C stops it.")
        print("\n".join(f"  {name:<10} {value}" for name, value in rows.items() if value), end="\n\n", flush=True)
        for component, problem in self.alerts.refused().items():
            terminal.alarm(f"配置文件有误，未生效 / a configuration file is refused: {component}: {problem}")
        if not reaches_people(self.alerts.notifying.plan):
            terminal.warn(
                "按当前通知方案，告警和求助不会发给任何人，只到主题和 webhook。\n"
                "By the plan in force alerts and calls reach no person, only topics and webhooks: "
                "docs/how-to/notify-people.md says how to write one."
            )
        elif steps := self.api.calling.source.unreached():
            terminal.warn(
                "求助阶梯中有步骤通知不到任何人，只到主题和 webhook。\n"
                f"Steps of emergency calls reach no person, only topics and webhooks: {', '.join(steps)}"
            )

    async def _status(self) -> str:
        try:
            return await self._counts()
        except AnjuError as error:
            return f"records: {error}"

    async def _counts(self) -> str:
        received, written = self.ingest.session.stats, self.ingest.writer.stats
        firing = await self.api.records.alerts(AlertFilter(state="firing"), None, 100)
        calls = await self.api.calling.records.calls(CallFilter(open=True), None, 100)
        figures = {
            "received": received.received,
            "stored": written.messages,
            "rejected": written.rejected,
            "decided up to": self.alerts.service.stats.position,
            "told": self.alerts.notifying.deliverer.stats.delivered,
        }
        return terminal.status_line([f"{each.title_zh} / {each.title_en}" for each in firing], len(calls), figures)


@contextlib.asynccontextmanager
async def _broker(settings: Settings) -> AsyncIterator[str]:
    """Start the broker that the settings ask for and yield its name; nothing starts where an outside one is used."""
    wanted, mqtt = settings.broker.embedded, settings.mqtt
    if wanted == "none":
        yield "your broker"
        return
    broker.require_free(
        mqtt.host, mqtt.port, "broker", "ANJU_MQTT__PORT sets another, ANJU_BROKER__EMBEDDED=none uses it"
    )
    program = broker.find_mosquitto() if wanted in ("auto", "mosquitto") else None
    if program is not None:
        async with broker.mosquitto(program, settings.var / "mosquitto", mqtt.host, mqtt.port):
            yield "Mosquitto"
    elif wanted == "mosquitto":
        raise AnjuError("broker.embedded is mosquitto, but no mosquitto is on the PATH; install it or use auto")
    else:
        async with broker.amqtt(mqtt.host, mqtt.port):
            yield "amqtt (in this process)"
