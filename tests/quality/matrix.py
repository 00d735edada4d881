"""The matrix of entrapments: how the gateway sends, what the lift cannot say, its course; found, and how late."""

import multiprocessing
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from statistics import median

from msgspec import Struct

from alerts.rules import Rule
from alerts.scoring.report import Outcome
from alerts.scoring.truth import Subject
from app.score_words import lasting, table
from tests.quality.estate import judgement_of
from tests.quality.lifts import COURSES, MATRIX_HOUR, MISSING, PACES, entrapment_world
from tests.quality.model import IncidentKind

NOTHING = "nothing"


class Cell(Struct, frozen=True):
    """One entrapment: the pace of the gateway, the signal that is missing (or ``nothing``), the course."""

    pace: str
    missing: str
    course: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.pace}/{self.missing}/{self.course}/{self.seed}"


class Seen(Struct, frozen=True):
    """What came of the entrapment of one cell, and how many alerts were false in its hour."""

    cell: Cell
    outcome: Outcome
    false: int


def cells(seeds: Iterable[int], missing: Sequence[str] = (NOTHING, *MISSING)) -> list[Cell]:
    """Return all cells, each once for every seed."""
    return [Cell(*each) for each in product(PACES, missing, COURSES, seeds)]


def seen(those: Sequence[Cell], rules: Sequence[Rule], subjects: dict[str, Subject], processes: int = 1) -> list[Seen]:
    """Return what ``rules`` make of the entrapments of ``those``."""
    shares = [(those[first::processes], rules, subjects) for first in range(processes)]
    if processes == 1:
        return _share(shares[0])
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = {one.cell: one for part in pool.map(_share, shares) for one in part}
    return [found[cell] for cell in those]


def _share(share: tuple[Sequence[Cell], Sequence[Rule], dict[str, Subject]]) -> list[Seen]:
    those, rules, subjects = share
    return [_seen(cell, rules, subjects) for cell in those]


def _seen(cell: Cell, rules: Sequence[Rule], subjects: dict[str, Subject]) -> Seen:
    missing = frozenset[str]() if cell.missing == NOTHING else frozenset({cell.missing})
    world = entrapment_world(cell.pace, missing, cell.course, cell.seed)
    judgement = judgement_of(rules, world, subjects, MATRIX_HOUR)
    (outcome,) = [one for _, one in judgement.outcomes if one.kind == IncidentKind.ENTRAPMENT]
    return Seen(cell, outcome, sum(one.true is False for one in judgement.alerts))


def lines(those: Sequence[Seen]) -> Iterator[str]:
    """Yield a table for each pace: found of those with a sign, the median delay, and how many more were hinted at."""
    for pace in PACES:
        by_place: dict[tuple[str, str], list[Seen]] = defaultdict(list)
        for one in those:
            if one.cell.pace == pace:
                by_place[one.cell.missing, one.cell.course].append(one)
        rows = dict.fromkeys(missing for missing, _ in by_place)
        yield from ("", f"Entrapments, gateway {pace}: found of those with a sign, median delay (+ hinted at)")
        yield from table(([row, *(_cell(by_place[row, course]) for course in COURSES)] for row in rows), ("", *COURSES))


def _cell(those: Sequence[Seen]) -> str:
    outcomes = [one.outcome for one in those if one.outcome.sign or one.outcome.found]
    delays = [one.delay_seconds for one in outcomes if one.delay_seconds is not None]
    hinted = sum(one.missed and one.mentioned is not None for one in outcomes)
    found = f"{len(delays)}/{len(outcomes)}"
    return f"{found} {lasting(median(delays)) if delays else '-'}" + (f" +{hinted}" if hinted else "")
