"""The steady clock of an installation: over restarts and reboots, with damaged files; and jumps of the wall clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from app import steady_clock
from app.steady_clock import (
    ANCHOR,
    COMPONENT,
    JUMP,
    REACHED,
    TOLD_FOR,
    ClockWatch,
    Kept,
    boot_id,
    open_clock,
    read_clock,
)
from core.clock import ManualClock, since_boot, wall_ahead

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
CLOSE = timedelta(seconds=5)


def kept(path: Path) -> Kept:
    return msgspec.json.decode(path.read_bytes(), type=Kept)


def keep(path: Path, **changed: object) -> None:
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(kept(path), **changed)))


def test_the_first_time_both_clocks_agree(tmp_path: Path) -> None:
    assert wall_ahead(open_clock(tmp_path)) == timedelta(0)
    assert kept(tmp_path / ANCHOR).boot == boot_id()


def test_all_processes_read_one_clock(tmp_path: Path) -> None:
    first = open_clock(tmp_path)
    assert open_clock(tmp_path).anchor == first.anchor == read_clock(tmp_path).anchor


def test_looking_writes_nothing(tmp_path: Path) -> None:
    read_clock(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wall_clock_that_was_set_meanwhile_moves_nothing(tmp_path: Path) -> None:
    """As if the wall clock had been two hours ahead when the anchor was chosen."""
    first = open_clock(tmp_path)
    keep(tmp_path / ANCHOR, anchor=first.anchor + 2 * HOUR)
    again = open_clock(tmp_path)
    assert again.anchor == first.anchor + 2 * HOUR
    assert wall_ahead(again) == -2 * HOUR


def test_after_a_reboot_it_goes_on_as_far_from_the_wall_clock_as_it_was(tmp_path: Path) -> None:
    now = open_clock(tmp_path).now()
    keep(tmp_path / ANCHOR, boot="before", reached=now - 5 * HOUR, wall_ahead_seconds=-7200.0)
    after = open_clock(tmp_path)
    assert wall_ahead(after) == -2 * HOUR
    assert kept(tmp_path / ANCHOR).boot == boot_id()


def test_after_a_reboot_with_a_wall_clock_behind_it_goes_on_from_where_it_was(tmp_path: Path) -> None:
    now = open_clock(tmp_path).now()
    reached = now + 3 * HOUR
    keep(tmp_path / ANCHOR, boot="before", reached=reached)
    after = open_clock(tmp_path)
    assert reached <= after.steady() < reached + CLOSE


def test_an_uptime_smaller_than_what_was_reached_is_a_reboot_where_boots_have_no_names(tmp_path: Path) -> None:
    anchor = open_clock(tmp_path).anchor
    reached = anchor + since_boot() + HOUR
    keep(tmp_path / ANCHOR, reached=reached)
    assert reached <= open_clock(tmp_path).steady() < reached + CLOSE


def _gone(path: Path) -> None:
    path.unlink()


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:10])


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(100))


def _without_a_zone(path: Path) -> None:
    instant = "2026-01-01T00:00:00"
    path.write_text(f'{{"boot": "{steady_clock.boot_id()}", "anchor": "{instant}", "reached": "{instant}"}}')


def _ahead_beyond_all_time(path: Path) -> None:
    instant = "2026-01-01T00:00:00Z"
    path.write_text(f'{{"boot": "x", "anchor": "{instant}", "reached": "{instant}", "wall_ahead_seconds": 1e300}}')


@pytest.mark.parametrize("damaged", [ANCHOR, REACHED])
@pytest.mark.parametrize("damage", [_gone, _torn, _zeros, _without_a_zone, _ahead_beyond_all_time])
def test_one_file_serves_where_the_other_is_damaged(
    tmp_path: Path, damaged: str, damage: Callable[[Path], None]
) -> None:
    clock = open_clock(tmp_path)
    keep(tmp_path / ANCHOR, anchor=clock.anchor + HOUR)
    clock = open_clock(tmp_path)
    ClockWatch(clock, tmp_path).look()
    damage(tmp_path / damaged)
    assert ClockWatch(clock, tmp_path).problems() == {}
    for found in (open_clock(tmp_path).anchor, kept(tmp_path / ANCHOR).anchor):
        assert abs(found - clock.anchor) < timedelta(milliseconds=100)


def test_where_nothing_can_be_written_the_start_goes_on(tmp_path: Path) -> None:
    assert wall_ahead(open_clock(tmp_path / "missing")) == timedelta(0)


@pytest.mark.parametrize(
    ("jump", "said"),
    [
        (
            2 * HOUR,
            "向前拨动 7200 秒，从 2026-03-01T08:00:00+00:00 到 2026-03-01T10:00:00+00:00 / "
            "set forward by 7200 s, from 2026-03-01T08:00:00+00:00 to 2026-03-01T10:00:00+00:00",
        ),
        (
            -2 * HOUR,
            "向后拨动 7200 秒，从 2026-03-01T08:00:00+00:00 到 2026-03-01T06:00:00+00:00 / "
            "set back by 7200 s, from 2026-03-01T08:00:00+00:00 to 2026-03-01T06:00:00+00:00",
        ),
    ],
)
def test_a_jump_is_told_for_ten_minutes(tmp_path: Path, jump: timedelta, said: str) -> None:
    clock = ManualClock(START)
    watch = ClockWatch(clock, tmp_path)
    watch.look()
    assert watch.problems() == {}
    clock.jump(jump)
    watch.look()
    clock.advance(TOLD_FOR - timedelta(seconds=1))
    watch.look()
    assert watch.problems() == {COMPONENT: said}
    clock.advance(timedelta(seconds=1))
    assert watch.problems() == {}
    assert watch.jumps == 1


def test_what_happens_slowly_or_is_small_is_no_jump(tmp_path: Path) -> None:
    clock = ManualClock(START)
    watch = ClockWatch(clock, tmp_path)
    for _ in range(100):
        clock.advance(timedelta(seconds=1))
        clock.jump(JUMP)
        watch.look()
    clock.advance(24 * HOUR)
    watch.look()
    assert (watch.jumps, watch.problems()) == (0, {})


def test_a_jump_while_nobody_looked_is_told_at_the_start(tmp_path: Path) -> None:
    clock = ManualClock(START)
    ClockWatch(clock, tmp_path).look()
    clock.advance(HOUR)
    clock.jump(-2 * HOUR)
    watch = ClockWatch(clock, tmp_path)
    watch.look()
    assert " / set back by 7200 s" in watch.problems()[COMPONENT]
    again = ClockWatch(clock, tmp_path)
    again.look()
    assert again.problems() == {}


def test_how_far_it_came_is_kept_every_ten_seconds(tmp_path: Path) -> None:
    clock = ManualClock(START)
    watch = ClockWatch(clock, tmp_path)
    for _ in range(25):
        watch.look()
        clock.advance(timedelta(seconds=1))
    assert kept(tmp_path / REACHED).reached == START + timedelta(seconds=20)


def test_a_folder_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    watch = ClockWatch(ManualClock(START), tmp_path / "gone")
    watch.look()
    assert steady_clock.REACHED not in [path.name for path in tmp_path.iterdir()]
