"""Imported at the start of every Python that has this folder in PYTHONPATH: its machine's boot clock can be moved on.

The first line of the file by which libfaketime sets the wall clock says by how many seconds (`tests.servers.faketime`).
"""

import os
import time

_FILE = os.environ["FAKETIME_TIMESTAMP_FILE"]
_of_the_machine = time.clock_gettime_ns


def _clock_gettime_ns(clock: int, /) -> int:
    shown = _of_the_machine(clock)
    if clock != time.CLOCK_BOOTTIME:
        return shown
    with open(_FILE, encoding="ascii") as file:
        return shown + int(file.readline().rpartition(" ")[2]) * 1_000_000_000


time.clock_gettime_ns = _clock_gettime_ns
