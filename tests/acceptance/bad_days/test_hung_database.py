"""A database that hangs answers nothing, goodbyes included: a stop ends in its time all the same, and loses nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.cli import STOP_SECONDS
from tests.acceptance.running import ROOT, Anju, wait_until
from tests.servers.plugin import MakeMosquitto
from tests.servers.postgres import Postgres, PostgresApi


def test_a_stop_ends_in_its_time_while_the_database_hangs(
    tmp_path: Path, make_postgres: Callable[[], Postgres], make_mosquitto: MakeMosquitto
) -> None:
    server, broker = make_postgres(), make_mosquitto()
    api = PostgresApi(server.address)
    settings = {
        "ANJU_RECORDS__URL": api.sqlalchemy_url(api.new_database()),
        "ANJU_MQTT__HOST": broker.host,
        "ANJU_MQTT__PORT": broker.port,
        "ANJU_BROKER__EMBEDDED": "none",
    }
    with Anju("ingest", tmp_path / "var", settings) as ingest, Anju("alerts", tmp_path / "var", settings) as alerts:
        ingest.wait_ready()
        alerts.wait_ready()
        family = _family(server)
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            # Every service is in the middle of a query by then.
            time.sleep(2)
            began = time.monotonic()
            assert alerts.stop(signal.SIGTERM) == 0
            print(f"stopped in {time.monotonic() - began:.1f} s of at most {STOP_SECONDS:g}")
        finally:
            for pid in family:
                os.kill(pid, signal.SIGCONT)
        assert "Traceback" not in alerts.output()
        alerts.start()
        alerts.wait_ready()
        wait_until(lambda: alerts.beats, alerts.tail)
        assert alerts.stop(signal.SIGTERM) == 0


# A part that never ends its stop.
_HANGING = """
import asyncio
from app import cli
cli.STOP_SECONDS = 0.5
async def part(stopping):
    print("running", flush=True)
    await stopping.wait()
    await asyncio.Event().wait()
cli._until_signalled(part)
"""


def test_a_stop_that_does_not_end_is_cut_short() -> None:
    with subprocess.Popen([sys.executable, "-c", _HANGING], cwd=ROOT, stdout=subprocess.PIPE, text=True) as part:
        assert part.stdout is not None
        assert part.stdout.readline() == "running\n"
        part.send_signal(signal.SIGTERM)
        said, _ = part.communicate(timeout=20)
    assert "stop.cut_short" in said
    assert part.returncode == 0


def _family(server: Postgres) -> list[int]:
    assert server.pid is not None
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii")
    return [server.pid, *map(int, children.split())]
