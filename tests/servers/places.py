"""Where a test finds its servers: an address in the environment, a program on the machine, or the cache."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

INFLUXD_VERSION = "2.7.12"

PROGRAMS = {
    "mosquitto": "mosquitto",
    "influx": "influxd",
    "postgres": "postgres",
    "chromium": "chromium",
    "faketime": "faketime",
    "prometheus": "prometheus",
    "systemd": "systemd-analyze",
    "nginx": "nginx",
    "caddy": "caddy",
}
VARIABLES = {
    "mosquitto": "ANJU_TEST_MQTT_URL",
    "influx": "ANJU_TEST_INFLUX_URL",
    "postgres": "ANJU_TEST_POSTGRES_URL",
}
# Without one a browser shows boxes for Chinese, and measures them as such.
FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("~/.local/share/fonts").expanduser())
CHINESE_FONTS = "*CJK*"
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """A server that already runs; `token` and `org` are InfluxDB's and empty for the others."""

    url: str
    token: str = ""
    org: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or DEFAULT_PORTS.get(parts.scheme, 5432)


def cache_folder() -> Path:
    """The folder outside the checkout that keeps fetched servers, one sub-folder per server and version."""
    chosen = os.environ.get("ANJU_TEST_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "anju-test-servers"


def cached_influxd() -> Path:
    """Where `fetch.py` puts influxd, whether or not it is there yet."""
    return cache_folder() / f"influxd-{INFLUXD_VERSION}" / "influxd"


def find(name: str) -> Address | Path | None:
    """The address from the environment, else the program, else None; `name` is a key of `PROGRAMS`."""
    return find_address(name) or find_program(name)


def find_address(name: str) -> Address | None:
    """The server that the environment names, or None."""
    url = os.environ.get(VARIABLES[name]) if name in VARIABLES else None
    if not url:
        return None
    if name != "influx":
        return Address(url)
    return Address(url, os.environ.get("ANJU_TEST_INFLUX_TOKEN", ""), os.environ.get("ANJU_TEST_INFLUX_ORG", ""))


def find_program(name: str) -> Path | None:
    """The server's program: on the PATH, then in Debian's folders, then in the cache."""
    return next((path for path in _candidates(name) if os.access(path, os.X_OK)), None)


def has_chinese_font() -> bool:
    """Whether the machine has a font for what most people here read."""
    return any(next(folder.rglob(CHINESE_FONTS), None) is not None for folder in FONT_FOLDERS)


def _candidates(name: str) -> Iterator[Path]:
    program = PROGRAMS[name]
    on_path = shutil.which(program)
    if on_path:
        # Resolved, because a link named postgres does not have initdb beside it.
        yield Path(on_path).resolve() if name == "postgres" else Path(on_path)
    if name in ("mosquitto", "nginx"):
        yield Path("/usr/sbin", program)
    if name == "postgres":
        versions = Path("/usr/lib/postgresql").glob("*/bin")
        yield from (folder / program for folder in sorted(versions, key=_major_version, reverse=True))
    if name == "influx":
        yield cached_influxd()


def _major_version(folder: Path) -> float:
    version = folder.parent.name
    return float(version) if version.replace(".", "", 1).isdigit() else 0.0
