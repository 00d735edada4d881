"""Thresholds of free space, the file that is a reserve, and a start on a full disk."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.disk import DISK, DISK_FULL, DiskWatch, Space, floor_of, reserve_bytes, warn_below
from app.settings import DiskSettings, Settings
from core.errors import StartupError
from storage.reserve import MIB
from tests.servers.small_disk import SmallDisk, small_disk

GIB = 1024 * MIB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "64m", inodes=2_000) as mounted:
        yield mounted


def watch_of(disk: SmallDisk, **thresholds: int) -> DiskWatch:
    settings = DiskSettings(**{"warn_percent": 50, "warn_mib": 20, "floor_percent": 50, "floor_mib": 10} | thresholds)
    return DiskWatch(Settings(var=disk.folder, disk=settings), [])


SIZES = {
    "a card of 8 GiB is told of at a tenth": (8 * GIB, 0.8 * GIB),
    "a disk of 2 TiB at 4 GiB": (2_048 * GIB, 4 * GIB),
    "a tiny one at a tenth too": (64 * MIB, 6.4 * MIB),
}


@pytest.mark.parametrize(("total", "expected"), SIZES.values(), ids=SIZES)
def test_people_are_told_in_time_on_small_and_large_disks(total: int, expected: float) -> None:
    assert warn_below(Space(total, 0, 0, 0), DiskSettings()) == pytest.approx(expected)


async def test_problems_come_and_go_with_the_free_space_and_are_logged_once(disk: SmallDisk) -> None:
    watch = watch_of(disk)
    with capture_logs() as said:
        await watch.look()
        assert watch.problems == {}
        disk.fill(leaving=15 * MIB)
        await watch.look()
        assert set(watch.problems) == {DISK}
        assert "15 of 64 MiB are free" in watch.problems[DISK]
        disk.fill(leaving=9 * MIB)
        await watch.look()
        await watch.look()
        assert set(watch.problems) == {DISK, DISK_FULL}
        disk.make_room()
        await watch.look()
        assert watch.problems == {}
    events = [line["event"] for line in said]
    assert sorted(events) == sorted(["disk.low", "disk.full", "disk.has_room", "disk.above_floor"])


def test_a_disk_of_any_size_has_room_beside_floor_and_reserve() -> None:
    for total, floor, reserve in ((64 * MIB, 3.2, 2), (GIB, 51.2, 16), (2_048 * GIB, 256, 16)):
        settings, space = DiskSettings(), Space(total, 0, 0, 0)
        assert floor_of(Path(), settings).bytes_of(total) / MIB == pytest.approx(floor)
        assert reserve_bytes(space, settings) == reserve * MIB


async def test_a_disk_at_its_limit_does_not_raise_and_resolve_in_turn(disk: SmallDisk) -> None:
    watch = watch_of(disk)
    disk.fill(leaving=19 * MIB)
    await watch.look()
    assert set(watch.problems) == {DISK}
    os.truncate(disk.folder / "filler", (disk.folder / "filler").stat().st_size - 2 * MIB)
    await watch.look()
    assert set(watch.problems) == {DISK}, "21 MiB are no more than the threshold and a little"


async def test_few_inodes_are_told_of_like_little_room(disk: SmallDisk) -> None:
    watch = watch_of(disk)
    await watch.look()
    names = [disk.folder / f"f{number}" for number in range(1_985)]
    for name in names:
        name.touch()
    await watch.look()
    assert set(watch.problems) == {DISK}
    assert "inodes" in watch.problems[DISK]


async def test_the_reserve_is_really_taken_given_up_when_nothing_is_left_and_made_again(disk: SmallDisk) -> None:
    watch, reserve = watch_of(disk), disk.folder / "reserve"
    free = disk.free
    await watch.look()
    assert free - disk.free >= 2 * MIB
    disk.fill()
    await watch.look()
    assert not reserve.exists()
    assert disk.free >= 2 * MIB
    disk.make_room()
    await watch.look()
    assert reserve.stat().st_size == 2 * MIB


async def test_a_start_on_a_full_disk_lives_on_the_reserve_and_without_one_says_what_to_do(disk: SmallDisk) -> None:
    await watch_of(disk).look()
    disk.fill()
    watch = watch_of(disk)
    watch.prepare()
    assert DISK_FULL in watch.problems
    disk.fill()
    with pytest.raises(StartupError, match=r"is full .* delete or move"):
        watch_of(disk).prepare()
