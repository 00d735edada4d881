"""The short run of the corpus, and the baseline that it may not fall behind.

Two days of lifts and gates and a day of two sheds count false alerts; the hours around fires and the matrix of
entrapments, once over, say which of these were found. The corpus is the same each time, so any difference comes from
the rules or the engine, or from a change of the corpus itself; the baseline is written anew then (`python -m
tests.quality baseline`) and reviewed by people.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import count, islice
from pathlib import Path

import msgspec
from msgspec import Struct

from alerts.packs import builtin_rules, builtin_subjects
from alerts.rules import Rule
from alerts.scoring.report import Outcome
from tests.quality import matrix
from tests.quality.estate import BEGINS, Estate, Size, days, judgement_of
from tests.quality.lifts import MISSING
from tests.quality.model import Incident, IncidentKind, Span, World
from tests.quality.sheds import shed_worlds

PATH = Path(__file__).parent / "baseline.json"
VITAL = frozenset({IncidentKind.ENTRAPMENT, IncidentKind.FIRE})
_SEED = 1
_ESTATE = Estate(_SEED, days(2), Size(lifts=12, gates=6, sheds=0))
_SHED_DAY = days(1)
# Cameras that look every second cost a minute a day; those of other makes see the same fires.
_SLOW = ("every-5s", "every-10s")
_FIRES = 12
# Cameras differ by make and by the courses of their fires; at least two days pass before the first one.
_CAMERAS = 16
_FIRE_DAYS = days(6)
_BEFORE, _AFTER = timedelta(minutes=15), timedelta(hours=1)


class Baseline(Struct, frozen=True):
    """How rules did in the short run."""

    found: list[str]
    """The entrapments and fires that were found."""
    known_misses: list[str]
    """Those of which there was a sign, and which no rule found: the next version of the pack should shrink this."""
    false_alerts: int
    """Of lifts, gates and sheds in their days; notices are none."""
    false_by_rule: dict[str, int]


def measured(rules: Sequence[Rule] | None = None) -> Baseline:
    """Return how ``rules`` (the built-in ones) do now."""
    rules = builtin_rules() if rules is None else rules
    outcomes: dict[str, Outcome] = {}
    false: Counter[str] = Counter()
    for place, world, span in _ordinary():
        judgement = judgement_of(rules, world, builtin_subjects(), span)
        outcomes |= _named(place, (one for _, one in judgement.outcomes))
        false.update(one.alert.rule for one in judgement.alerts if one.true is False)
    outcomes |= _fires(rules) | _entrapments(rules)
    return Baseline(
        found=sorted(name for name, one in outcomes.items() if one.found),
        known_misses=sorted(name for name, one in outcomes.items() if one.missed),
        false_alerts=false.total(),
        false_by_rule=dict(sorted(false.items())),
    )


def stored() -> Baseline:
    """Return what was reviewed last."""
    return msgspec.json.decode(PATH.read_bytes(), type=Baseline)


def write() -> None:
    """Measure, and store it for review."""
    PATH.write_bytes(msgspec.json.format(msgspec.json.encode(measured())) + b"\n")


def _ordinary() -> Iterator[tuple[str, World, Span]]:
    for world in _ESTATE.worlds():
        yield "estate", world, _ESTATE.span
    for world in shed_worlds(_SEED, 4, _SHED_DAY):
        if world.station.pace.startswith(_SLOW):
            yield "sheds", world, _SHED_DAY


def _entrapments(rules: Sequence[Rule]) -> dict[str, Outcome]:
    """All cells once; of lifts that send every second, which cost as much as all others, only those that have all."""
    cells = [one for one in matrix.cells([_SEED]) if one.pace != "every-1s" or one.missing not in MISSING]
    return {f"matrix: {one.cell.name}": one.outcome for one in matrix.seen(cells, rules, builtin_subjects())}


def _fires(rules: Sequence[Rule]) -> dict[str, Outcome]:
    named: dict[str, Outcome] = {}
    for seed, world, fire in islice(_cameras_with_fires(), _FIRES):
        around = Span(fire.began - _BEFORE, fire.ended - fire.began + _BEFORE + _AFTER)
        judgement = judgement_of(rules, world, builtin_subjects(), around)
        named |= _named(f"fires {seed}", (one for _, one in judgement.outcomes))
    return named


def _cameras_with_fires() -> Iterator[tuple[int, World, Incident]]:
    """Yield cameras with their first fire, by rising seed."""
    for seed in count(_SEED):
        for world in shed_worlds(seed, _CAMERAS, _FIRE_DAYS):
            fires = [each for each in world.incidents if each.kind is IncidentKind.FIRE]
            if fires and world.station.pace.startswith(_SLOW):
                yield seed, world, min(fires, key=lambda each: each.began)


def _named(place: str, outcomes: Iterable[Outcome]) -> dict[str, Outcome]:
    return {
        f"{place}: {one.kind} {one.variant} {one.device} {one.part} {(one.began - BEGINS).total_seconds():.0f}s": one
        for one in outcomes
        if one.kind in VITAL
    }
