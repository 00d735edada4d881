"""`python -m tests.bench.call_raising URL COUNT`: residents who press at the same moment, in a process of their own.

Says ``ready``, waits for a line, then raises ``COUNT`` calls at once, and prints when each was begun and when it was
kept, by call, in seconds of the machine's monotonic clock.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from core.clock import SystemClock
from emergency.model import Place, Source
from emergency.plan_loading import default_plan
from emergency.ports import Recipient
from emergency.steps import CallRequest
from emergency.switchboard import Switchboard
from emergency.wording import PageWording
from storage.records import CallRecordsAdapter, RecordsDatabase

RECEIVERS = 8
"""Property offices that share one centre."""


class Duty:
    """One receiver for each community."""

    async def resolve(self, targets: Sequence[str], now: datetime, *, rota_only: bool) -> Sequence[Recipient]:
        """Return the receiver that the target names."""
        del now, rota_only
        return [Recipient(target.partition(":")[2], "li") for target in targets]


def switchboard(database: RecordsDatabase) -> Switchboard:
    """Return what the API raises calls with."""
    clock, plan = SystemClock(), default_plan()
    wording = PageWording(ZoneInfo("Asia/Shanghai"), "https://anju.example.org")
    return Switchboard(CallRecordsAdapter(database, clock), Duty(), clock, lambda: plan, wording)


async def raise_all(board: Switchboard, count: int) -> dict[str, tuple[float, float]]:
    """Raise ``count`` calls at once; return begin and end of each."""
    times: dict[str, tuple[float, float]] = {}

    async def press(number: int) -> None:
        lift = f"c{number % RECEIVERS}/elevator/lift-{number}"
        place = Place(f"c{number % RECEIVERS}", lift, name_zh=f"{number} 号梯", name_en=f"lift {number}")
        began = time.monotonic()
        call, _ = await board.raise_call(CallRequest(Source.RESIDENT, place), "caller", key=f"tap-{number}")
        times[call.id] = began, time.monotonic()

    await asyncio.gather(*(press(number) for number in range(count)))
    return times


async def _main(url: str, count: int) -> None:
    database = RecordsDatabase(url)
    await database.open()
    board = switchboard(database)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(await raise_all(board, count)), flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
