"""What goes wrong on the day of chaos: acts, each with a beginning, a time and an end, and the schedule of a day."""

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.bad_days.chaos.installation import PARTS, Installation
from tests.acceptance.bad_days.chaos.load import CAMERAS, Devices
from tests.servers.running import Server
from tests.unit.hostile_texts import NO_TEXT, REFUSED, UNREADABLE

FLOOD = 600
BURST, BURST_SECONDS = 150, 0.1
JUMP_SECONDS = 2 * 3_600
HALF_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: anju\r\n"
# The beginning of a CONNECT that announces 64 bytes.
HALF_CONNECT = bytes.fromhex("104000044d515454")
Steps = Iterator[None]
"""An act as a generator: it begins, yields once while it lasts, and ends."""


@dataclass(frozen=True)
class Targets:
    """What an act may touch."""

    installation: Installation
    devices: Devices
    chance: random.Random


# --- processes -------------------------------------------------------------------------------------------------------


def _freeze(pids: Sequence[int]) -> Steps:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # Killed meanwhile.
                os.kill(pid, signal.SIGCONT)


def _family(server: Server) -> list[int]:
    assert server.pid is not None
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii")
    return [server.pid, *map(int, children.split())]


def freeze_part(targets: Targets) -> Steps:
    """SIGSTOP: to all others it looks like a machine that hangs."""
    pid = targets.installation.parts[targets.chance.choice(PARTS)].pid
    yield from _freeze([] if pid is None else [pid])


def restart_part(targets: Targets) -> Steps:
    """SIGTERM: it has to end within its time, and without a failure."""
    targets.installation.supervisor.restart(targets.chance.choice(PARTS))
    yield


def start_ingest_twice(targets: Targets) -> Steps:
    """The one that comes second is refused, be it the one that the supervisor starts again."""
    second = targets.installation.begin("ingest")
    yield
    second.__exit__()


def back_up(targets: Targets) -> Steps:
    """Beside everything else; how it ended is looked at later, since it may need what other acts have stopped."""
    folder = targets.installation.var.parents[1] / f"backup-{targets.chance.randrange(10**9)}"
    targets.installation.begin("backup", str(folder))
    yield


def ask_doctor(targets: Targets) -> Steps:
    """As `back_up`."""
    targets.installation.begin("doctor")
    yield


def freeze_influx(targets: Targets) -> Steps:
    yield from _freeze(_family(targets.installation.servers.influx))


def freeze_broker(targets: Targets) -> Steps:
    yield from _freeze(_family(targets.installation.servers.broker))


def _stop(server: Server) -> Steps:
    server.stop()
    try:
        yield
    finally:
        server.start()


def stop_influx(targets: Targets) -> Steps:
    yield from _stop(targets.installation.servers.influx)


def kill_influx(targets: Targets) -> Steps:
    targets.installation.servers.influx.kill()
    yield from _stop(targets.installation.servers.influx)


def freeze_postgres(targets: Targets) -> Steps:
    yield from _freeze(_family(_postgres(targets)))


def stop_postgres(targets: Targets) -> Steps:
    yield from _stop(_postgres(targets))


def kill_postgres(targets: Targets) -> Steps:
    _postgres(targets).kill()
    yield from _stop(_postgres(targets))


def _postgres(targets: Targets) -> Server:
    postgres = targets.installation.servers.postgres
    assert postgres is not None
    return postgres


def restart_broker(targets: Targets) -> Steps:
    """Stop it in order: see `test_chaos.py` why it is not killed."""
    yield from _stop(targets.installation.servers.broker)


# --- the machine -----------------------------------------------------------------------------------------------------


def fill_disk(targets: Targets) -> Steps:
    """To the last byte."""
    disk = targets.installation.disk
    assert disk is not None
    disk.fill()
    try:
        yield
    finally:
        disk.make_room()


def set_clock(targets: Targets) -> Steps:
    """Set it by two hours or four, but never further than two from the devices' clocks, which stay right."""
    clock = targets.installation.clock
    ahead = targets.chance.choice([each for each in (-JUMP_SECONDS, 0, JUMP_SECONDS) if each != clock.ahead])
    clock.jump(ahead - clock.ahead)
    yield


def break_file(targets: Targets) -> Steps:
    """A configuration file holds what a power cut, an editor or a slip left of it, until somebody mends it."""
    kind = targets.chance.choice(list(targets.installation.files))
    path, good = targets.installation.files[kind], targets.installation.texts[kind]
    slip, cut = good.replace("version: 1", "verison: 1").encode(), good.encode()[:-40] + bytes(40)
    path.write_bytes(targets.chance.choice([slip, cut, targets.chance.choice(_BAD)]))
    try:
        yield
    finally:
        path.write_text(good, encoding="utf-8")


# --- strangers -------------------------------------------------------------------------------------------------------


def flood_with_readings(targets: Targets) -> Steps:
    for _ in range(FLOOD):
        targets.devices.send_reading()
    yield


def flood_with_regions(targets: Targets) -> Steps:
    camera = targets.chance.choice(CAMERAS)
    for _ in range(FLOOD // 2):
        targets.devices.send_temperature(camera, f"x-{targets.chance.randrange(10_000)}")
    yield


def flood_with_presses(targets: Targets) -> Steps:
    lift = targets.devices.fresh_lift()
    for _ in range(FLOOD // 2):
        targets.devices.press_button(lift)
    yield


def send_hostile_payloads(targets: Targets) -> Steps:
    """Topics and payloads that mean nothing; each has to end in quarantine with its reason."""
    for payload in targets.chance.sample(_PAYLOADS, k=12):
        targets.devices.send_invalid("anju/v1/willow-court/elevator/{number}/telemetry", payload)
    for topic in _TOPICS:
        targets.devices.send_invalid(topic, b"{}")
    yield


def refuse_webhooks(targets: Targets) -> Steps:
    targets.installation.webhooks.refusing = True
    try:
        yield
    finally:
        targets.installation.webhooks.refusing = False


@contextlib.contextmanager
def _connections(port: int, count: int, said: bytes) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for number in range(count):
            with contextlib.suppress(OSError):  # Nobody listens, or it is refused: also an answer.
                connection = socket.create_connection(
                    ("127.0.0.1", port), 1, source_address=(f"127.0.0.{2 + number % 20}", 0)
                )
                stack.enter_context(connection)
                connection.sendall(said)
        yield


def hold_half_requests(targets: Targets) -> Steps:
    with _connections(targets.installation.port, 80, HALF_REQUEST):
        yield


def read_no_stream(targets: Targets) -> Steps:
    """Clients of both live streams that never read what they asked for."""
    ask = "GET /api/v1/{path} HTTP/1.1\r\nHost: anju\r\nAuthorization: Bearer {token}\r\n\r\n"
    streams = [ask.format(path=path, token=targets.installation.token) for path in ("stream", "emergency-calls/stream")]
    with contextlib.ExitStack() as stack:
        for stream in streams:
            stack.enter_context(_connections(targets.installation.port, 8, stream.encode()))
        yield


def hold_half_connects(targets: Targets) -> Steps:
    with _connections(targets.installation.servers.broker.port, 40, HALF_CONNECT):
        yield


_BAD: list[bytes] = [
    *(text.encode("utf-8", "surrogatepass") for text, _ in UNREADABLE.values()),
    *(text.encode("utf-8", "surrogatepass") for text in REFUSED.values()),
    *(content for content, _ in NO_TEXT.values()),
]
_PAYLOADS: list[bytes] = [
    *_BAD,
    b"",
    b"null",
    b"[" * 50_000,
    b'{"at":' * 10_000,
    b'{"at":"2026-01-01T00:00:00Z","speed_mps":1e999}',
    b'{"at":"2026-01-01T00:00:00Z","speed_mps":NaN}',
    b'{"at":"9999-99-99T99:99:99Z"}',
    b'{"at":"2026-01-01T00:00:00Z","floor":"\\ud800"}',
    b'{"at":"2026-01-01T00:00:00Z","seq":' + b"9" * 5_000 + b"}",
    b"{" + b"x" * 300_000,
]
_TOPICS = (
    "anju/v1/{number}",
    "anju/v1/willow-court/submarine/{number}/telemetry",
    "anju/v1/willow-court/elevator/{number}/telemetry/more",
    "anju/v1/WILLOW/elevator/{number}/telemetry",
    "anju/v1/willow-court/system/{number}/event",
    "anju/v1//elevator/{number}/event",
)


@dataclass(frozen=True)
class Act:
    """Something that goes wrong. Of one ``subject`` one act lasts at a time; ``weight`` says how often it is drawn."""

    inject: Callable[[Targets], Steps]
    subject: str
    weight: int = 2


POSTGRES, DISK = "PostgreSQL", "disk"
ACTS = (
    Act(freeze_part, "part"),
    Act(restart_part, "part", 1),
    Act(start_ingest_twice, "part", 1),
    Act(back_up, "command", 1),
    Act(ask_doctor, "command", 1),
    Act(freeze_influx, "influx"),
    Act(stop_influx, "influx", 1),
    Act(kill_influx, "influx", 1),
    Act(freeze_postgres, POSTGRES),
    Act(stop_postgres, POSTGRES),
    Act(kill_postgres, POSTGRES),
    Act(restart_broker, "broker"),
    Act(freeze_broker, "broker", 1),
    Act(fill_disk, DISK, 4),
    Act(set_clock, "clock", 4),
    Act(break_file, "files", 4),
    Act(flood_with_readings, "flood", 1),
    Act(flood_with_regions, "flood", 1),
    Act(flood_with_presses, "flood", 1),
    Act(send_hostile_payloads, "payloads", 3),
    Act(refuse_webhooks, "webhooks"),
    Act(hold_half_requests, "HTTP"),
    Act(read_no_stream, "streams"),
    Act(hold_half_connects, "MQTT", 1),
)
PAUSES_SECONDS = 0.3, 2.2
LASTING_SECONDS = 1.0, 7.0


@dataclass(frozen=True)
class ScheduledAct:
    """An act with its times, in seconds since the beginning."""

    begins: float
    ends: float
    act: Act
    seed: int


def schedule(installation: Installation, chance: random.Random, seconds: float) -> list[ScheduledAct]:
    """Draw the acts of a day; those of one subject follow each other."""
    absent = {POSTGRES: installation.servers.postgres is None, DISK: installation.disk is None}
    acts = [act for act in ACTS if not absent.get(act.subject)]
    scheduled: list[ScheduledAct] = []
    busy: dict[str, float] = {}
    at = 0.0
    while (at := at + chance.uniform(*PAUSES_SECONDS)) < seconds:
        free = [act for act in acts if busy.get(act.subject, 0.0) <= at]
        (act,) = chance.choices(free, [act.weight for act in free])
        ends = min(seconds, at + chance.uniform(*LASTING_SECONDS))
        busy[act.subject] = ends
        scheduled.append(ScheduledAct(at, ends, act, chance.randrange(2**32)))
    return scheduled


def run_schedule(
    installation: Installation, devices: Devices, scheduled: Sequence[ScheduledAct], seconds: float
) -> list[str]:
    """Run the acts and return the names of those that began; what a slow machine has no time for is left out."""
    began, done = time.monotonic(), list[str]()
    running: dict[ScheduledAct, contextlib.ExitStack] = {}
    with contextlib.ExitStack() as everything:
        for at, begins, each in _steps(scheduled):
            time.sleep(max(0.0, began + at - time.monotonic()))  # The instants are the test's input.
            passed = time.monotonic() - began
            if not begins:
                running.pop(each, contextlib.ExitStack()).close()
            elif passed < seconds:
                name = each.act.inject.__name__
                print(f"{passed:6.1f} s {name} for {each.ends - at:.1f} s")
                targets = Targets(installation, devices, random.Random(each.seed))
                running[each] = everything.enter_context(contextlib.ExitStack())
                running[each].enter_context(contextlib.contextmanager(each.act.inject)(targets))
                done.append(name)
    return done


def _steps(scheduled: Sequence[ScheduledAct]) -> list[tuple[float, bool, ScheduledAct]]:
    """Return all beginnings (True) and ends (False) in the order of their instants, an end before a beginning."""
    steps = [(each.begins, True, each) for each in scheduled] + [(each.ends, False, each) for each in scheduled]
    return sorted(steps, key=lambda step: step[:2])


def kill_parts(
    installation: Installation,
    devices: Devices,
    chance: random.Random,
    kills: int,
    seconds: float,
    ending: threading.Event,
) -> None:
    """Kill ``kills`` parts at random instants within ``seconds``, each in the middle of a burst of messages."""
    began = time.monotonic()
    for at in sorted(chance.uniform(0, seconds) for _ in range(kills)):
        if ending.wait(max(0.0, began + at - time.monotonic())):
            return
        name = chance.choice(PARTS)
        print(f"{time.monotonic() - began:6.1f} s kill -9 {name}")
        for _ in range(BURST):
            devices.send_reading()
        time.sleep(chance.uniform(0, BURST_SECONDS))  # The instant of the kill is the test's input.
        installation.supervisor.kill(name)
