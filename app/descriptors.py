"""File descriptors: raising the limit, the share of the HTTP server, and when they are short."""

import os
import resource
from pathlib import Path

import structlog

COMPONENT = "descriptors"
"""Under this name a shortage is reported."""
_log = structlog.get_logger()
# More than this nothing here needs, and some libraries walk through all numbers up to the limit.
_WANTED = 65_536
# For everything but HTTP: databases (three files a connection), the broker's links, receivers, files read again.
RESERVE = 256
# With fewer free ones a database or a receiver may fail at any moment.
_LEAST_FREE = 64


def raise_limit() -> int:
    """Raise the soft limit of open files towards the hard one; return what is in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:
            _log.warning("descriptors.limit_kept", limit=soft, wanted=wanted, error=str(error))
    return limit()


def limit() -> int:
    """Return how many descriptors this process may have open at once."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _WANTED if soft == resource.RLIM_INFINITY else soft


def http_share(wanted: int) -> int:
    """Return how many connections the HTTP server may hold: ``wanted``, or what the limit leaves beside the reserve."""
    allowed = limit()
    return max(1, min(wanted, allowed - min(RESERVE, allowed // 2)))


def shortage() -> str:
    """Return in one line that descriptors are short, empty when they are not."""
    allowed = limit()
    opened = _opened()
    if opened is None or allowed - opened < min(_LEAST_FREE, allowed // 8):
        zh, en = ("几乎全部", "nearly all") if opened is None else (str(opened), str(opened))
        return f"文件句柄上限 {allowed}，已用{zh} / {en} of {allowed} file descriptors are open"
    return ""


def problems() -> dict[str, str]:
    """Return the shortage as a component of a part's pulse; empty when there is none."""
    found = shortage()
    return {COMPONENT: found} if found else {}


def figures() -> dict[str, float]:
    """Return how many descriptors this process has open, and how many it may have."""
    opened, allowed = _opened(), limit()
    return {"open_descriptors": allowed if opened is None else opened, "descriptors_limit": allowed}


def _opened() -> int | None:
    """Return how many are open, `None` when not even one is left to look with."""
    folder = Path("/proc/self/fd")
    try:
        return len(os.listdir(folder if folder.exists() else "/dev/fd"))
    except OSError:
        return None
