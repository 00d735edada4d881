"""The broker that ``anju run`` brings along: Mosquitto if it is installed, else amqtt in this process."""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from core.errors import StartupError

_log = structlog.get_logger()
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
# Its log says who connects; so much of it, and half as much of what was before, is kept.
LOG_BYTES = 8 * 1024 * 1024
_LOG_LOOK_SECONDS = 10.0

# Mosquitto's defaults lose messages (no persistence, 1,000 queued messages, 20 in flight) and limit no sender. The
# limits are those of deploy/mosquitto/mosquitto.conf, where their reasons stand.
CONFIGURATION = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 10
max_queued_messages 1000000
max_queued_bytes 268435456
max_inflight_messages 1000
max_packet_size 98304
memory_limit 2000000000
max_connections 10000
persistent_client_expiration 14d
set_tcp_nodelay true
log_dest file {folder}/mosquitto.log
{user}
"""


def find_mosquitto() -> str | None:
    """Return the path of Mosquitto, also where a Debian user's PATH leaves it out."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def require_free(host: str, port: int, purpose: str, way_out: str) -> None:
    """Raise `StartupError` in one line when ``port`` cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartupError(f"{purpose} cannot listen on {host}:{port}: {error.strerror}; {way_out}") from None


@asynccontextmanager
async def mosquitto(program: str, folder: Path, host: str, port: int) -> AsyncIterator[None]:
    """Run Mosquitto with its store in ``folder`` for as long as the context lasts."""
    configuration = folder / "mosquitto.conf"
    # As root it would become the user `mosquitto`, who may not write here.
    user = "user root" if os.geteuid() == 0 else ""
    _write(configuration, CONFIGURATION.format(host=host, port=port, folder=folder.absolute(), user=user))
    child = await asyncio.create_subprocess_exec(
        program, "-c", str(configuration), start_new_session=True, preexec_fn=_die_with_parent
    )
    try:
        await _until_listening(child, host, port, folder)
        bounding = asyncio.create_task(_keep_log_bounded(folder / "mosquitto.log"), name="mosquitto's log")
        try:
            yield
        finally:
            bounding.cancel()
    finally:
        await _stop(child)


def _write(configuration: Path, text: str) -> None:
    """Write the file where it says something else: on a full disk a start goes by the one that is there."""
    try:
        configuration.parent.mkdir(0o700, parents=True, exist_ok=True)
        if not configuration.exists() or configuration.read_text() != text:
            configuration.write_text(text)
    except OSError as error:
        raise StartupError(f"{configuration} cannot be written: {error.strerror}; make room on its disk") from None


async def _keep_log_bounded(log: Path) -> None:
    while True:
        await asyncio.sleep(_LOG_LOOK_SECONDS)
        bound_log(log)


def bound_log(log: Path, most: int = LOG_BYTES) -> None:
    """Empty ``log`` once it has ``most`` bytes, with its newest half kept in ``<log>.1`` where the disk has room.

    Mosquitto appends to the file it has open, so it goes on at the beginning.
    """
    with suppress(OSError):
        size = log.stat().st_size
        if size < most:
            return
        with suppress(OSError), log.open("rb") as file:
            file.seek(size - most // 2)
            log.with_name(f"{log.name}.1").write_bytes(file.read(most // 2))
        os.truncate(log, 0)


def _die_with_parent() -> None:
    """Ask Linux to stop this child with its parent, so that a killed Anju leaves no broker on the port."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _until_listening(child: asyncio.subprocess.Process, host: str, port: int, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + _START_SECONDS
    while loop.time() < end and child.returncode is None:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise StartupError(f"Mosquitto did not start on {host}:{port}; its log is {folder / 'mosquitto.log'}")


async def _stop(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), _STOP_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()


@asynccontextmanager
async def amqtt(host: str, port: int) -> AsyncIterator[None]:
    """Run amqtt in this process for as long as the context lasts: for trying out.

    It keeps nothing across a restart, and limits neither packets nor queues nor, to any use, connections: those beyond
    its ``max_connections`` stay open and wait, Anju's own among them.
    """
    from amqtt.broker import Broker

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        yield
    finally:
        await broker.shutdown()
