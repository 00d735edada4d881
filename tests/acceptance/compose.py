"""docker-compose.yml without Docker: its services as processes, their names and folders translated to this machine."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.servers.running import Server

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
# The image's ENTRYPOINT is this command; installed or not, it is the function that `anju` calls.
ANJU = (sys.executable, "-c", "from app.cli import main; main()")
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::([?-])([^}]*))?\})")


def load_services(values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the services with every variable filled in, as compose does it; raises KeyError for a missing one."""

    def fill(found: re.Match[str]) -> str:
        dollar, name, operator, text = found.groups()
        if dollar:
            return "$"
        if operator == "-":
            return values.get(name) or str(text)
        return values[name]

    def filled(value: Any) -> Any:
        # After reading, as compose does: what is filled with nothing is an empty text then, and not null.
        if isinstance(value, dict):
            return {name: filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        return _VARIABLE.sub(fill, value) if isinstance(value, str) else value

    document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return dict(filled(document["services"]))


@dataclass(frozen=True)
class World:
    """What stands for the network and the volumes: exact texts of the file, and what they are on this machine."""

    ports: Mapping[str, int]
    """By service: the loopback port on which it listens."""
    folders: Mapping[str, Path]
    """By path inside the containers."""

    def translate(self, text: str) -> str:
        """Return ``text`` with addresses, host names and paths of this machine."""
        text = text.replace("influxdb:8086", f"127.0.0.1:{self.ports['influxdb']}")
        text = text.replace("postgres:5432", f"127.0.0.1:{self.ports['postgres']}")
        text = re.sub(r"\b1883\b", str(self.ports["mosquitto"]), text)
        text = re.sub(r"\b8000\b", str(self.ports["api"]), text)
        text = re.sub(r"^(mosquitto|0\.0\.0\.0)$", "127.0.0.1", text)
        for inside, here in self.folders.items():
            text = text.replace(inside, str(here))
        return text


class ComposedService(Server):
    """One service of the file, run as it says; healthy when its own health check says so."""

    def __init__(self, name: str, described: Mapping[str, Any], world: World) -> None:
        super().__init__(Path(ANJU[0]))
        self.name = name
        self.described = described
        self.world = world

    def command(self) -> Sequence[str]:
        return [*ANJU, *self.described["command"]]

    def environment(self) -> Mapping[str, str]:
        given = {name: self.world.translate(value) for name, value in self.described["environment"].items()}
        return {**super().environment(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **given}

    def answers(self) -> bool:
        check = self.described["healthcheck"]
        if check.get("disable"):
            return True
        kind, program, *rest = check["test"]
        assert kind == "CMD"
        start = {"anju": ANJU, "python": (sys.executable,)}[program]
        command = [*start, *map(self.world.translate, rest)]
        done = subprocess.run(
            command, env=dict(self.environment()), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        return done.returncode == 0


class ComposedMosquitto(ComposedService):
    """The broker with the shipped configuration, list of rights and start script."""

    def __init__(self, described: Mapping[str, Any], world: World, program: Path) -> None:
        super().__init__("mosquitto", described, world)
        self.program = program

    def command(self) -> Sequence[str]:
        return [self.world.translate(word) for word in self.described["command"]]

    def environment(self) -> Mapping[str, str]:
        given = super().environment()
        return {**given, "PATH": f"{self.program.parent}:{given['PATH']}"}

    def prepare(self) -> None:
        """Copy the shipped files with this machine's paths and port."""
        self.port = self.world.ports["mosquitto"]
        config = self.world.folders["/mosquitto/config"]
        shutil.copytree(ROOT / "deploy" / "mosquitto", config, dirs_exist_ok=True)
        for path in config.iterdir():
            path.write_text(self.world.translate(path.read_text(encoding="utf-8")), encoding="utf-8")
        main = config / "mosquitto.conf"
        # As root it would become the user mosquitto, who may not write here.
        user = "user root\n" if os.geteuid() == 0 else ""
        main.write_text(f"{user}{main.read_text(encoding='utf-8')}", encoding="utf-8")

    def answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1.0).close()
        except OSError:
            return False
        return True
