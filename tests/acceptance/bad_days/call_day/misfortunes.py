"""What goes wrong on the day of calls: kills, a clock that is set, people who are out of reach, plans, floods."""

import random
import threading
from collections.abc import Callable

from tests.acceptance.bad_days.call_day.board import Board
from tests.acceptance.bad_days.call_day.callers import Callers, flood_with_taps
from tests.acceptance.bad_days.call_day.plans import PLANS, RECEIVERS, emergency_plan
from tests.acceptance.bad_days.call_day.records import JUMP_SECONDS
from tests.acceptance.bad_days.chaos.load import Devices

READINGS, TAPS = 500, 60
PAUSES_SECONDS = 1.0, 4.0
LASTING_SECONDS = 2.0, 6.0


class Misfortunes:
    """One after another, but for the kills, which come at instants of their own."""

    def __init__(self, board: Board, callers: Callers, devices: Devices) -> None:
        self._board = board
        self._estate = board.estate
        self._callers = callers
        self._devices = devices
        self._chance = random.Random(f"{board.seed} misfortunes")
        self.done: list[str] = []
        self.kills = 0

    def run(self, ending: threading.Event) -> None:
        """Go on until ``ending`` is set."""
        ways: dict[Callable[[threading.Event], None], int] = {
            self._set_clock: 3,
            self._refuse_pages: 3,
            self._change_plan: 3,
            self._break_plan: 1,
            self._flood_with_readings: 1,
            self._flood_with_taps: 2,
        }
        while not ending.wait(self._chance.uniform(*PAUSES_SECONDS)):
            (way,) = self._chance.choices(list(ways), list(ways.values()))
            self.done.append(way.__name__.strip("_").replace("_", " "))
            way(ending)

    def kill(self, every_calls: int, ending: threading.Event) -> None:
        """Kill about each time that so many calls were raised, at any instant."""
        chance = random.Random(f"{self._board.seed} kills")
        wanted = chance.uniform(0.3, 1.0) * every_calls
        while not ending.wait(chance.uniform(0.02, 0.3)):
            if self._callers.raised >= wanted:
                wanted += chance.uniform(0.6, 1.4) * every_calls
                self._estate.kill()
                self.kills += 1

    def _set_clock(self, _ending: threading.Event) -> None:
        """Set it by two hours or four, but never further than two from the devices' clocks, which stay right."""
        clock = self._estate.clock
        ahead = self._chance.choice([each for each in (-JUMP_SECONDS, 0, JUMP_SECONDS) if each != clock.ahead])
        clock.jump(ahead - clock.ahead)

    def _refuse_pages(self, ending: threading.Event) -> None:
        """One person or everybody is out of reach for some seconds."""
        day = self._board.day
        names = self._chance.choice([(self._chance.choice(RECEIVERS),), RECEIVERS])
        for name in names:
            day.deaf[name].begin()
        day.refusing |= set(names)
        ending.wait(self._chance.uniform(*LASTING_SECONDS))
        day.refusing -= set(names)
        for name in names:
            day.deaf[name].end()

    def _change_plan(self, _ending: threading.Event) -> None:
        self._estate.use_plan(emergency_plan(PLANS[self._chance.choice(sorted(PLANS))]))

    def _break_plan(self, ending: threading.Event) -> None:
        """A slip in the file changes nothing."""
        good = self._estate.plan.read_text(encoding="utf-8")
        self._estate.use_plan(good.replace("version: 1", "verison: 1"))
        ending.wait(self._chance.uniform(*LASTING_SECONDS))
        self._estate.use_plan(good)

    def _flood_with_readings(self, _ending: threading.Event) -> None:
        for _ in range(READINGS):
            self._devices.send_reading()

    def _flood_with_taps(self, _ending: threading.Event) -> None:
        """Somebody plays where a call is open."""
        working = [each for each in list(self._board.open.values()) if not each.call["drill"]]
        if working:
            flood_with_taps(self._callers, self._chance.choice(working).spot, self._chance, TAPS)
