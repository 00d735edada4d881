"""A day of random calls, acts, kills, jumps and floods: for every second of every open call somebody was responsible.

And had been told. `ANJU_TEST_CALLS` says how many calls are raised, and `ANJU_TEST_SEED` repeats what was drawn; the
machine's own pace makes every run another one all the same. What must hold is told from what the API answered and
showed, and from what arrived at the people's phones (`call_day/checks.py`), and by nothing of the product's own code.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.acceptance.bad_days.call_day import checks, pages
from tests.acceptance.bad_days.call_day.board import Board
from tests.acceptance.bad_days.call_day.callers import Callers
from tests.acceptance.bad_days.call_day.estate import Estate, estate
from tests.acceptance.bad_days.call_day.helpers import Helpers
from tests.acceptance.bad_days.call_day.history import Story, gaps
from tests.acceptance.bad_days.call_day.misfortunes import Misfortunes
from tests.acceptance.bad_days.call_day.reading import items, stories
from tests.acceptance.bad_days.call_day.records import LONGEST_DAY_SECONDS
from tests.acceptance.bad_days.chaos.load import Devices, Publisher

CALLS = int(os.environ.get("ANJU_TEST_CALLS", "0")) or 60
SEED = int(os.environ.get("ANJU_TEST_SEED", "0")) or time.time_ns() % 1_000_000
KILLED_EVERY_CALLS = 25
WORKERS = 6
EVENING_SECONDS = 240.0
QUIET_SECONDS = 120.0
_SHOWN = 5
_OUR_ALERTS = ("call-unanswered", "rescue-overdue")
ZONE = ZoneInfo("Asia/Shanghai")  # the default of the settings, by which months of figures begin


@pytest.mark.timeout(600 + 3 * CALLS)
def test_for_every_second_of_every_open_call_somebody_was_responsible_and_had_been_told(tmp_path: Path) -> None:
    on_postgres = SEED % 2 == 1
    records = "PostgreSQL" if on_postgres else "SQLite"
    print(f"{CALLS} calls, seed {SEED} (ANJU_TEST_SEED repeats it), records on {records}")
    with estate(tmp_path, on_postgres=on_postgres) as here:
        _run_the_day(here)
        _wait_until_quiet(here)
        with here.client("li") as client:
            told = stories(client, here.day)
            _print_figures(here, told)
            _assert_nothing_is_wrong(here, told)
            _assert_figures(here, told, client)
        assert here.supervisor.ended == []
        assert here.app.stop() == 0, here.app.tail()
        assert "Traceback" not in here.app.output(), here.app.log


def _run_the_day(here: Estate) -> None:
    broker, board = here.broker, Board(here, SEED)
    board.put_codes()
    with Publisher(broker.host, broker.port) as publisher:
        devices = Devices(publisher, random.Random(SEED))
        callers = Callers(board, devices)
        helpers, misfortunes = Helpers(board, callers), Misfortunes(board, callers, devices)
        ending, night = threading.Event(), threading.Event()
        with ThreadPoolExecutor(WORKERS + 4) as pool:
            looking = [pool.submit(board.run, night)]
            helping = [pool.submit(helpers.run, night) for _ in range(WORKERS)]
            going_wrong = [pool.submit(misfortunes.run, ending)]
            going_wrong.append(pool.submit(misfortunes.kill, KILLED_EVERY_CALLS, ending))
            try:
                callers.run(CALLS, ending)
                ending.set()
                _results(going_wrong)
                here.clock.jump(-here.clock.ahead)
                board.evening.set()
                here.wait(lambda: _is_over(board, looking + helping), lambda: _open(board), EVENING_SECONDS)
            finally:
                ending.set()
                night.set()
            _results([*looking, *helping])
        here.wait(lambda: publisher.acknowledged == devices.sent, lambda: f"{devices.sent} sent", QUIET_SECONDS)
        callers.close()
        helpers.close()
        print(f"{misfortunes.kills} kills, {dict(Counter(misfortunes.done))}")


def _results(begun: Iterable[Future[None]]) -> None:
    for each in begun:
        each.result()


def _is_over(board: Board, working: Iterable[Future[None]]) -> bool:
    """Tell whether nothing is open; what a lift sent last may raise one more call, which is waited for as well."""
    _results(each for each in working if each.done())
    quiet = time.time() - max((each.at for each in board.day.said), default=0.0) > 5
    return quiet and not board.open and len(board.day.seen) > 0


def _open(board: Board) -> str:
    return f"open: {[(each.id, each.call['state'], each.ended_at) for each in board.open.values()]}"


def _wait_until_quiet(here: Estate) -> None:
    with here.client("li") as client:

        def waiting() -> int:
            found = client.get("/notifications", params={"status": "waiting", "limit": 100}).raise_for_status()
            return sum(each["purpose"] == "call" for each in found.json()["items"])

        here.wait(lambda: waiting() == 0, lambda: f"{waiting()} pages wait", QUIET_SECONDS)


def _assert_nothing_is_wrong(here: Estate, told: list[Story]) -> None:
    day, arrived = here.day, pages.arrived(here.day)
    checked: dict[str, Iterable[Iterator[str]]] = {
        "was left alone": (checks.left_alone(story, day) for story in told),
        "had nobody responsible": (checks.unwatched(seen, day) for seen in day.seen),
        "was not told": (pages.undecided(story, day) for story in told),
        "did not get a page": (pages.unarrived(story, day, arrived) for story in told),
        "got a page from nowhere": [pages.stray(told, day)],
        "was reassured too early": [pages.wrongly_reassured(told, day)],
        "was answered, and it is not so": (checks.undone(story, day) for story in told),
        "did what nobody did": (checks.uninvited(story) for story in told),
        "was not heard": (checks.unheard(said, told, day) for said in day.said),
        "has a wrong history": (checks.misordered(story) for story in told),
    }
    wrong = {what: list(chain.from_iterable(found)) for what, found in checked.items()}
    lines = [[f"{len(each)} times somebody {what}:", *each[:_SHOWN]] for what, each in wrong.items() if each]
    assert not lines, "\n".join(chain.from_iterable(lines))


def _assert_figures(here: Estate, told: list[Story], client: httpx.Client) -> None:
    known = {act.call for act in here.day.acts if act.done} | {seen.call["id"] for seen in here.day.seen}
    assert known == {story.id for story in told}
    # Months of the community's zone: near the end of one, a jump of the clock raises calls in the next.
    raised = (datetime.fromisoformat(story.call["stamps"]["raised"]) for story in told)
    months = {each.astimezone(ZONE).strftime("%Y-%m") for each in raised}
    shown: Counter[str] = Counter()
    for month in sorted(months):
        found = client.get("/emergency-figures", params={"month": month}).raise_for_status().json()
        shown.update({name: found["total"][name] for name in ("calls", "taken_back", "overdue", "unfinished")})
        shown["drills"] += found["drills"]["calls"]
    assert shown == checks.figures(told, here.day)
    firing = [alert["rule"] for alert in items(client, "/alerts", state="firing")]
    assert [rule for rule in firing if rule in _OUR_ALERTS] == []


def _print_figures(here: Estate, told: list[Story]) -> None:
    day = here.day
    late = [(gap.ended - gap.due, gap.after, gap.then) for story in told for gap in gaps(story, day)]
    arrivals = sorted(_latencies(here, told))
    acts, refused = len(day.acts), sum(not act.done for act in day.acts)
    print(f"{len(told)} calls, {acts} acts, {refused} of them refused, {sum(act.lost for act in day.acts)} sent again")
    print(f"{len(day.told)} pages arrived, {len(day.seen)} looks at open calls, {time.time() - day.began:.0f} s")
    print(f"down for {sum(end - begin for begin, end in day.down.times):.0f} s in {len(day.down.times)} kills")
    print(f"latest: {max(late)}; slowest page {arrivals[-1]:.1f} s, median {arrivals[len(arrivals) // 2]:.2f} s")
    assert time.time() - day.began < LONGEST_DAY_SECONDS, "longer than instants can be told apart"


def _latencies(here: Estate, told: list[Story]) -> Iterator[float]:
    arrived: Callable[[str], float] = here.day.back
    for come in here.day.told:
        yield come.at - arrived(come.request.document["at"])
