"""Bring the servers that the tests need, once per machine: `python3 tests/servers/fetch.py`.

Only the standard library is used, so it runs before any virtual environment exists.
"""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# As a script this folder is the import path's first entry; the checkout has to be.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.servers import debian, influxd_build  # noqa: E402
from tests.servers.places import PROGRAMS, VARIABLES, Address, cache_folder, find, has_chinese_font  # noqa: E402

DEBIAN_PACKAGES = {
    "mosquitto": "mosquitto",
    "postgres": "postgresql",
    "chromium": "chromium",
    "faketime": "faketime",
    "prometheus": "prometheus",
    "systemd": "systemd",
    "nginx": "nginx",
    "caddy": "caddy",
}
FONTS_PACKAGE = "fonts-noto-cjk"
SERVICES = {
    "mosquitto": "mosquitto.service",
    "postgres": "postgresql.service",
    "prometheus": "prometheus.service",
    "nginx": "nginx.service",
    "caddy": "caddy.service",
}


def main() -> None:
    """Bring what is missing, then print where everything is."""
    with _one_at_a_time():
        missing = [name for name in DEBIAN_PACKAGES if find(name) is None]
        packages = [DEBIAN_PACKAGES[name] for name in missing] + ([] if has_chinese_font() else [FONTS_PACKAGE])
        if packages:
            debian.install(packages, [SERVICES[name] for name in missing if name in SERVICES])
        if find("influx") is None:
            influxd_build.build()
    for name in PROGRAMS:
        place = find(name)
        # Not the address itself, it may carry a password.
        print(f"{name:10} {f'at {VARIABLES[name]}' if isinstance(place, Address) else place}")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    # Two runs at once would build twice and quarrel over apt's lock.
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
