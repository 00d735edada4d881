"""An installation of real processes on a small disk, under a wall clock that can be set, kept running as by systemd."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx
import pytest

from tests.acceptance.call_centre import call_centre
from tests.acceptance.outcome import Records
from tests.acceptance.running import Anju, influx_settings, wait_until
from tests.integration.webhook_receiver import SECRET, Answer, Request
from tests.servers.faketime import WallClock
from tests.servers.influx import Influx
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import required_program
from tests.servers.postgres import Postgres, PostgresApi
from tests.servers.running import free_port
from tests.servers.small_disk import SmallDisk, small_disk

PARTS = ("ingest", "alerts", "api")
DISK = "256m"
RESTART_SECONDS = 1.0
LOOK_SECONDS = 0.1
WAIT_SECONDS = 3
STEPS = ("guard", "manager", "director")
"""Each step of the ladder has one receiver, of the same name."""
TELL = "call-centre"
RULES = {
    "car-alarm-button": ("critical", "types: [alarm_pressed], clears_on: [alarm_reset]"),
    "chain": ("major", "types: [fault_raised], kinds: [safety_chain_open], clears_on: [fault_cleared]"),
    "door": ("major", "types: [fault_raised], kinds: [door_close_failure], clears_on: [fault_cleared]"),
    "zone": ("major", "types: [fault_raised], kinds: [stopped_outside_door_zone], clears_on: [fault_cleared]"),
    "restart": ("major", "types: [fault_raised], kinds: [restart_prevented], clears_on: [fault_cleared]"),
}
"""Rules whose every event counts, whatever the clock shows: severity and condition."""
# Two hours of a jump and the longest outage.
_RULE = """\
  - id: {name}
    kind: elevator
    severity: {severity}
    title: {{zh: {name}, en: {name}}}
    next_step: {{zh: 查看, en: look}}
    condition: {{kind: event, {condition}}}
    chatter: false
    late: accept
    max_late: 1d
"""
_HOT = """\
  - id: hot
    kind: thermal
    severity: critical
    title: {zh: 高温, en: hot}
    next_step: {zh: 查看, en: look}
    condition: {kind: threshold, signal: maximum_celsius, above: 70, clear: 60}
"""
_RECEIVER = '  - {{name: {name}, webhook: {{url: "{url}/{name}", secret: "${{CHAOS_SECRET}}"}}}}\n'
_ROUTES = f"""\
policies:
  - {{name: once, steps: [{{after: 0s, notify: ["receiver:{TELL}"]}}]}}
routes:
  - {{policy: once, group_by: [device, rule], group_wait: 0s}}
flood: null
"""
_CONTACT = '  - {{name: {name}, title: {{zh: {name}, en: {name}}}, tell: ["receiver:{name}"]}}\n'
_STEP = "      - {{name: {name}, title: {{zh: {name}, en: {name}}}, roles: [{name}], wait: {wait}}}\n"
_COMMUNITIES = 'communities: [{community: "*", ladder: lift, roles: {}, area: rural}]\n'


@dataclass
class WebhookLog:
    """What the webhook receiver has accepted; it refuses everything while ``refusing`` is set."""

    requests: list[Request] = field(default_factory=list)
    refusing: bool = False

    def answer(self, request: Request) -> Answer:
        if self.refusing:
            return Answer(503)
        self.requests.append(request)
        return Answer()


@dataclass(frozen=True)
class Ended:
    """A part that ended by itself: expected is a start that is refused in one line."""

    part: str
    code: int | None
    last_line: str


class Supervisor:
    """Starts a part again when it has ended by itself, after a second, as systemd and compose do."""

    def __init__(self, parts: dict[str, Anju]) -> None:
        self.parts = parts
        self.ended: list[Ended] = []
        self.kills = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def kill(self, name: str) -> None:
        """SIGKILL a part and start it again."""
        with self._lock:
            part = self.parts[name]
            self._start(part)
            part.kill()
            self.kills += 1
            part.start()

    def __enter__(self) -> "Supervisor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            for name, part in self.parts.items():
                if not part.running and not self._ending.wait(RESTART_SECONDS):
                    self._start_again(name)

    def _start_again(self, name: str) -> None:
        with self._lock:
            self._start(self.parts[name])

    def restart(self, name: str) -> None:
        """Stop a part in order, which has to succeed whatever goes on once it has come up, and start it again."""
        with self._lock:
            part = self.parts[name]
            self._start(part)
            beats, code = part.beats, part.stop(signal.SIGTERM)
            assert code == 0 or not beats, f"{name} ended with {code}; {part.tail()}"
            part.start()

    def _start(self, part: Anju) -> None:
        """Start a part that has ended by itself, and note what it said."""
        if not part.running:
            self.ended.append(Ended(part.part, part.exit_code, part.output().rstrip().rpartition("\n")[2]))
            part.start()


@dataclass(frozen=True)
class Servers:
    """The servers beside Anju. ``records_url`` is None where the records are a file."""

    broker: Mosquitto
    influx: Influx
    postgres: Postgres | None
    records_url: str | None


@dataclass(frozen=True)
class Installation:
    """Everything that runs. ``texts`` are the contents of ``files`` as they should be."""

    var: Path
    servers: Servers
    disk: SmallDisk | None
    clock: WallClock
    files: dict[str, Path]
    texts: dict[str, str]
    webhooks: WebhookLog
    settings: dict[str, object]
    parts: dict[str, Anju]
    supervisor: Supervisor
    commands: list[Anju] = field(default_factory=list)
    """Those that `begin` has started."""

    @property
    def records(self) -> Records:
        return Records(self.var, self.servers.records_url)

    @property
    def port(self) -> int:
        return int(str(self.settings["ANJU_API__PORT"]))

    @cached_property
    def token(self) -> str:
        """The token that the first start of the API has printed."""
        return self.parts["api"].output().split("shown only now): ")[1].split()[0]

    def staff(self) -> httpx.Client:
        """A client of the API with the rights of staff."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=5,
            trust_env=False,
        )

    def begin(self, name: str, *options: str) -> Anju:
        """Start another `anju` on the same folder; it is killed at the end of the installation."""
        log = self.var.parents[1] / f"{name}-{len(self.commands)}.log"
        command = Anju(name, self.var, self.settings, *options, log=log)
        self.commands.append(command)
        command.start()
        return command

    def tails(self) -> str:
        """The ends of the parts' logs, for messages."""
        return "\n".join(part.tail() for part in self.parts.values())

    def wait(self, condition: Callable[[], bool], what: Callable[[], str], seconds: float) -> None:
        """As `wait_until`, with the ends of the logs in the message."""
        wait_until(condition, lambda: f"{what()}\n{self.tails()}", seconds)


def texts(url: str) -> dict[str, str]:
    """Return the rule file, the notification plan and the emergency plan; everything is told to ``url``."""
    rules = "".join(_RULE.format(name=name, severity=of, condition=which) for name, (of, which) in RULES.items())
    receivers = "".join(_RECEIVER.format(name=name, url=url) for name in (TELL, *STEPS))
    contacts = "".join(_CONTACT.format(name=name) for name in STEPS)
    # The last wait is the longest there may be: no second round is told.
    waits = [f"{WAIT_SECONDS}s"] * (len(STEPS) - 1) + ["1h"]
    steps = "".join(_STEP.format(name=name, wait=wait) for name, wait in zip(STEPS, waits, strict=True))
    return {
        "rules": f"version: 1\nrules:\n{rules}{_HOT}",
        "plan": f"version: 1\nreceivers:\n{receivers}{_ROUTES}",
        "emergency": f"version: 1\ncontacts:\n{contacts}ladders:\n  - name: lift\n    steps:\n{steps}{_COMMUNITIES}",
    }


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[SmallDisk | None]:
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(folder, DISK))
        except pytest.skip.Exception as reason:
            print(f"the disk is not filled: {reason}")
            disk = None
        yield disk


@contextlib.contextmanager
def installation(folder: Path, *, on_postgres: bool) -> Iterator[Installation]:
    """Run everything; the records are in a PostgreSQL of its own, or in a file on the small disk."""
    with contextlib.ExitStack() as stack:
        disk, var, webhooks = stack.enter_context(_disk(folder / "disk")), folder / "disk" / "var", WebhookLog()
        servers, clock = _servers(stack, on_postgres=on_postgres), _clock(folder / "clock")
        receiver = stack.enter_context(call_centre())
        receiver.answer = webhooks.answer
        good = texts(receiver.url)
        files = {kind: folder / f"{kind}.yaml" for kind in good}
        for kind, path in files.items():
            path.write_text(good[kind], encoding="utf-8")
        settings = _settings(servers, clock, files)
        parts = {
            name: stack.enter_context(Anju(name, var, settings, log=folder / f"{name}.log"))
            for name in ("api", "ingest", "alerts")
        }
        for part in parts.values():
            part.wait_ready()
        supervisor = stack.enter_context(Supervisor(parts))
        running = Installation(var, servers, disk, clock, files, good, webhooks, settings, parts, supervisor)
        try:
            yield running
        finally:
            for command in running.commands:
                command.__exit__()


def _servers(stack: contextlib.ExitStack, *, on_postgres: bool) -> Servers:
    broker = stack.enter_context(Mosquitto(required_program("mosquitto"), save_every_change=False))
    influx = stack.enter_context(Influx(required_program("influx")))
    if not on_postgres:
        return Servers(broker, influx, None, None)
    postgres = stack.enter_context(Postgres(required_program("postgres")))
    api = PostgresApi(postgres.address)
    return Servers(broker, influx, postgres, api.sqlalchemy_url(api.new_database()))


def _clock(folder: Path) -> WallClock:
    required_program("faketime")
    folder.mkdir()
    return WallClock(folder)


def _settings(servers: Servers, clock: WallClock, files: dict[str, Path]) -> dict[str, object]:
    return {
        "ANJU_MQTT__PORT": servers.broker.port,
        "ANJU_BROKER__EMBEDDED": "none",
        "ANJU_RULES__BUILTIN": "false",
        "ANJU_RULES__FILES": f'["{files["rules"]}"]',
        "ANJU_NOTIFY__PLAN": files["plan"],
        "ANJU_EMERGENCY__PLAN": files["emergency"],
        "ANJU_API__PORT": free_port(),
        "CHAOS_SECRET": SECRET,
        **influx_settings(servers.influx),
        **({"ANJU_RECORDS__URL": servers.records_url} if servers.records_url else {}),
        **clock.environment,
    }


def processes_on(var: Path) -> list[int]:
    """Return the ids of all processes that run on the folder ``var``."""
    wanted, found = f"ANJU_VAR={var}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def descriptors(pid: int) -> list[str]:
    """Return what the descriptors of a process lead to."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(os.readlink(path))
    return found
