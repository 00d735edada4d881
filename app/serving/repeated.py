"""Repeated log records: the first at once, then one a minute with the number of those left out."""

import logging
import time
from collections.abc import Callable

_KINDS_LIMIT = 256


class Repeated(logging.Filter):
    """Lets a record pass when its like did not pass within ``seconds``.

    Anybody on the network makes the server write *Invalid HTTP request received*; that must not fill a disk. Records
    are alike when text and place of the exception are.
    """

    def __init__(self, seconds: float = 60.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._monotonic = monotonic
        self._passed: dict[tuple[object, ...], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, kind = self._monotonic(), _kind(record)
        passed_at, left_out = self._passed.get(kind, (now - self._seconds, 0))
        if now - passed_at < self._seconds:
            self._passed[kind] = (passed_at, left_out + 1)
            return False
        if len(self._passed) >= _KINDS_LIMIT:
            self._passed.clear()
        self._passed[kind] = (now, 0)
        if left_out:
            record.msg = f"{str(record.msg).rstrip()} ({left_out} more like this since the last line)"
        return True


def _kind(record: logging.LogRecord) -> tuple[object, ...]:
    error, trace = (record.exc_info[0], record.exc_info[2]) if record.exc_info else (None, None)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else ()
    return (record.name, record.levelno, record.msg, error, *place)
