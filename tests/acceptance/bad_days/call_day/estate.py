"""The estate of the day of calls: one `anju run` under a wall clock that is set, killed and started again."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.acceptance.bad_days.call_day.plans import PLANS, RULES, STAFF, emergency_plan, notification_plan
from tests.acceptance.bad_days.call_day.records import Day
from tests.acceptance.bad_days.chaos.installation import Supervisor
from tests.acceptance.call_centre import call_centre
from tests.acceptance.running import Anju, run_command, wait_until
from tests.integration.webhook_receiver import SECRET
from tests.servers.faketime import WallClock
from tests.servers.mosquitto import Mosquitto
from tests.servers.plugin import required_program
from tests.servers.postgres import Postgres, PostgresApi
from tests.servers.running import free_port

UP = "Ctrl-C stops it"
UP_DEADLINE_SECONDS = 90.0
FIRST_PLAN = "quick"


@dataclass(frozen=True)
class Estate:
    """Everything that runs. ``tokens`` are those of staff, by name."""

    var: Path
    broker: Mosquitto
    clock: WallClock
    plan: Path
    app: Anju
    supervisor: Supervisor
    port: int
    tokens: dict[str, str]
    day: Day

    def client(self, name: str = "") -> httpx.Client:
        """A client of the API with the token of ``name``; without one, that of a resident or a responder."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        url = f"http://127.0.0.1:{self.port}{'/api/v1' if name else ''}"
        return httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False)

    def kill(self) -> None:
        """SIGKILL the process, start it again, and return once all of it is up."""
        self.day.down.begin()
        before = self.app.log.stat().st_size
        self.supervisor.kill(self.app.part)
        wait_until(lambda: UP in self._log_behind(before), self.app.tail, UP_DEADLINE_SECONDS)
        self.day.down.end()

    def _log_behind(self, offset: int) -> str:
        with self.app.log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def wall(self) -> float:
        """What the process's wall clock shows."""
        return time.time() + self.clock.ahead

    def use_plan(self, text: str) -> None:
        """Put an emergency plan in place of the one there is, at once."""
        draft = self.plan.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.plan)

    def wait(self, condition: Callable[[], bool], what: Callable[[], str], seconds: float) -> None:
        """As `wait_until`, with the end of the log in the message."""
        wait_until(condition, lambda: f"{what()}\n{self.app.tail()}", seconds)


@contextlib.contextmanager
def estate(folder: Path, *, on_postgres: bool) -> Iterator[Estate]:
    """Run everything; the records are in a PostgreSQL of its own, or in a file."""
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(required_program("mosquitto"), save_every_change=False))
        required_program("faketime")
        clock_folder = folder / "clock"
        clock_folder.mkdir()
        clock, day, port = WallClock(clock_folder), Day(), free_port()
        receiver = stack.enter_context(call_centre())
        receiver.answer = day.answer
        files = {
            "rules": RULES,
            "notify": notification_plan(receiver.url),
            "emergency": emergency_plan(PLANS[FIRST_PLAN]),
        }
        paths = {kind: folder / f"{kind}.yaml" for kind in files}
        for kind, path in paths.items():
            path.write_text(files[kind], encoding="utf-8")
        settings: dict[str, object] = {
            "ANJU_MQTT__PORT": broker.port,
            "ANJU_BROKER__EMBEDDED": "none",
            "ANJU_RULES__BUILTIN": "false",
            "ANJU_RULES__FILES": f'["{paths["rules"]}"]',
            "ANJU_NOTIFY__PLAN": paths["notify"],
            "ANJU_NOTIFY__BASE_URL": f"http://127.0.0.1:{port}",
            "ANJU_EMERGENCY__PLAN": paths["emergency"],
            "ANJU_API__PORT": port,
            "DAY_SECRET": SECRET,
            **(_records(stack) if on_postgres else {}),
            **clock.environment,
        }
        var = folder / "var"
        app = stack.enter_context(Anju("run", var, settings, "--no-demo", log=folder / "run.log"))
        wait_until(lambda: UP in app.output(), app.tail, UP_DEADLINE_SECONDS)
        tokens = {name: _token(var, settings, name) for name in STAFF}
        supervisor = stack.enter_context(Supervisor({app.part: app}))
        yield Estate(var, broker, clock, paths["emergency"], app, supervisor, port, tokens, day)


def _records(stack: contextlib.ExitStack) -> dict[str, object]:
    postgres = stack.enter_context(Postgres(required_program("postgres")))
    api = PostgresApi(postgres.address)
    return {"ANJU_RECORDS__URL": api.sqlalchemy_url(api.new_database())}


def _token(var: Path, settings: dict[str, object], name: str) -> str:
    added = run_command(var, settings, "token", "add", name)
    assert added.returncode == 0, added.stderr
    return added.stdout.split()[-1]
