"""What a person reads in the terminal: the live line within its width, the log above it, alerts in one line."""

import asyncio
import contextlib
import io
import os
import pty
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog

from app import logging, terminal
from app.settings import LogSettings

WIDTH = 40
LINE = "受困 trapped " * 20
ADDRESS = "http://192.168.1.20:8000/c/wBcC4JG7i9Zzm7x4p3l1LA?a=" + "0" * WIDTH


@contextlib.contextmanager
def pseudo_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Both standard streams lead into a pseudo terminal of `WIDTH` columns; yields its other end."""
    outer, inner = pty.openpty()
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(inner, "w", encoding="utf-8", closefd=True) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        yield outer
    os.close(outer)


async def test_the_live_line_is_cut_to_the_width_and_the_log_stands_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = 0

    async def line() -> str:
        nonlocal shown
        shown += 1
        if shown == 2:
            structlog.get_logger().warning("broker.away", reason="refused")
        return LINE

    with pseudo_terminal(monkeypatch) as outer:
        assert terminal.is_live()
        logging.set_up(LogSettings(format="console"), ZoneInfo("Asia/Shanghai"))
        showing = asyncio.create_task(terminal.show_live(line, every_seconds=0.01))
        while shown < 4:  # The log line was written before the second.
            await asyncio.sleep(0.01)
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        written = _read(outer)
    shown_lines = [each for each in re.split(r"[\r\n]", written) if "受困" in each]
    assert len(shown_lines) >= 3
    for each in shown_lines:
        text = re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", each)
        assert sum(2 if character > "\u2e7f" else 1 for character in text) <= WIDTH, text
    before, _, after = written.partition("broker.away")
    assert re.search(r"trapped …\r\x1b\[2K\x1b\[2m\d{4}-\d\d-\d\d [^\n]*$", before), ascii(before)
    assert re.match(r"[^受]*refused[^受]*\r\n受困", after), ascii(after)


async def test_what_is_logged_is_not_broken_into_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with pseudo_terminal(monkeypatch) as outer:
        shown = asyncio.Event()

        async def line() -> str:
            structlog.get_logger().warning("code.made", address=ADDRESS, note="求助 " * WIDTH)
            print(f"token {ADDRESS}")
            shown.set()
            return LINE

        logging.set_up(LogSettings(format="console"), ZoneInfo("Asia/Shanghai"))
        showing = asyncio.create_task(terminal.show_live(line))
        await shown.wait()
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        written = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", _read(outer))
    assert f"token {ADDRESS}\r\n" in written
    (logged,) = (each for each in written.split("\r\n") if "code.made" in each)
    assert ADDRESS in logged
    assert "求助 " * WIDTH in logged


def test_what_a_person_must_act_on_comes_first_in_the_live_line() -> None:
    figures = {"received": 12, "stored": 11}
    assert terminal.status_line([], 0, figures) == "alerts firing 0 · received 12 · stored 11"
    line = terminal.status_line(["疑似困人 / Passenger trapped", "x"], 1, figures)
    assert line == "calls open 1 · alerts firing 2 (疑似困人 / Passenger trapped) · received 12 · stored 11"


def _read(outer: int) -> str:
    """Return everything that was written to the pseudo terminal so far."""
    os.set_blocking(outer, False)
    written = b""
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(outer, 1 << 16):
            written += chunk
    return written.decode()


EVENT = {
    "event": "alert.firing",
    "level": "info",
    "timestamp": "2026-05-01 16:00:00",
    "alert": "a1",
    "device": "jinxiu/elevator/block-3-lift",
    "severity": "critical",
    "title_zh": "疑似困人",
    "title_en": "Passenger trapped",
}


def test_an_alert_is_one_readable_line() -> None:
    said = logging.alert_line(None, "info", dict(EVENT))
    assert said == {
        "timestamp": "2026-05-01 16:00:00",
        "level": "info",
        "event": "告警 ALERT: 疑似困人 Passenger trapped (critical) · jinxiu/elevator/block-3-lift",
    }


def test_other_events_and_other_steps_of_alerts_stay_as_they_are() -> None:
    for event in ({**EVENT, "event": "alert.pending"}, {"event": "rules.refused", "reason": "x"}):
        assert logging.alert_line(None, "info", dict(event)) == event


def test_times_are_local_for_people_and_utc_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(form: str) -> str:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        logging.set_up(LogSettings.model_validate({"format": form}), ZoneInfo("Asia/Shanghai"))
        structlog.get_logger().info("ready")
        return stream.getvalue()

    told = datetime.strptime(written("console")[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "info", {})["timestamp"]
    assert abs((datetime.fromisoformat(stamped) - told.astimezone(UTC)).total_seconds()) < 60
    assert "Z" in written("json")


def test_without_a_terminal_there_is_no_live_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert not terminal.is_live()


def test_an_alarm_is_red_for_people_and_plain_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pseudo_terminal(monkeypatch) as outer:
        terminal.alarm("configuration/rules: site.yaml:3")
        assert "\x1b[31mconfiguration/rules: site.yaml:3\x1b[0m" in _read(outer)
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        terminal.alarm("configuration/rules: site.yaml:3")
    assert (tmp_path / "out").read_text() == "configuration/rules: site.yaml:3\n\n"


@pytest.fixture(autouse=True)
def _default_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()
