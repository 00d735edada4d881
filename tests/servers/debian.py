"""Debian packages, installed without leaving a service running."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
SAVED_POLICY = POLICY.with_name("policy-rc.d.before-anju")
# Debian's own convention: 101 means "starting is forbidden", and package scripts ask before they start a service.
FORBID = "#!/bin/sh\nexit 101\n"


def install(packages: Sequence[str], services: Sequence[str] = ()) -> None:
    """Install the packages; exits with one line saying what to install when apt or the right to use it is missing."""
    prefix = _root_prefix()
    if prefix is None or not shutil.which("apt-get"):
        sys.exit(f"Please install Debian's {' '.join(packages)} (or the same from your system), then run this again.")
    print(f"installing {' '.join(packages)}", flush=True)
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    with _services_stay_down(prefix):
        run([*apt, "update"])
        run([*apt, "install", "--no-install-recommends", *packages])
    if services and Path("/run/systemd/system").is_dir():
        # Or they would start with the next boot.
        run([*prefix, "systemctl", "disable", "--now", *services])


def run(command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Run it, its normal output hidden; exits with the output's end when it fails."""
    answer = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if answer.returncode:
        tail = "\n".join(answer.stdout.splitlines()[-25:])
        sys.exit(f"{tail}\nfailed ({answer.returncode}): {' '.join(command)}")


def _root_prefix() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    return ["sudo"] if shutil.which("sudo") else None


@contextmanager
def _services_stay_down(prefix: Sequence[str]) -> Iterator[None]:
    existed = POLICY.exists()
    if existed:
        run([*prefix, "mv", str(POLICY), str(SAVED_POLICY)])
    try:
        with tempfile.NamedTemporaryFile("w", prefix="policy-rc.d-") as script:
            script.write(FORBID)
            script.flush()
            run([*prefix, "install", "-m", "755", script.name, str(POLICY)])
        yield
    finally:
        run([*prefix, "mv", str(SAVED_POLICY), str(POLICY)] if existed else [*prefix, "rm", "-f", str(POLICY)])
