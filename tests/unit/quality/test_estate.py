"""The estate of the scored corpus, in this process and written down."""

from pathlib import Path

from alerts.dispatch.defaults import default_plan
from alerts.packs import builtin_rules, builtin_subjects
from app.corpus import Corpus
from app.score import scored
from tests.quality import matrix, stations
from tests.quality.estate import Estate, Size, days, export, score
from tests.quality.lifts import COURSES
from tests.quality.matrix import NOTHING, Cell

TINY = Estate(2, days(0.4), Size(lifts=3, gates=2, sheds=0))


def test_what_is_written_down_is_scored_like_the_estate_itself(tmp_path: Path) -> None:
    rules, plan = builtin_rules(), default_plan()
    export(TINY, tmp_path / "estate", builtin_subjects())
    written = scored(rules, Corpus(tmp_path / "estate"), plan).report()
    assert written.messages > 1_000
    assert written == score(TINY, rules, builtin_subjects(), plan).report()


def test_an_estate_is_the_same_each_time(tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        export(TINY, folder, builtin_subjects())
    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert one == two


def test_every_alert_is_counted_under_one_pace() -> None:
    # Long enough for alerts of gates, which a quiet half day does not raise.
    week = Estate(2, days(7), Size(lifts=0, gates=3, sheds=0))
    result = score(week, builtin_rules(), builtin_subjects(), default_plan())
    written = list(stations.lines(result, [world.station for world in week.worlds()], week.span.length))
    paces = written[written.index("By pace") + 2 : written.index("By make") - 1]
    counted = [line.split()[-4:] for line in paces]
    assert sum(int(alerts) for alerts, _, _, _ in counted) == len(result.judgement.alerts) > 0


def test_a_cell_of_the_matrix_is_one_entrapment() -> None:
    cells = [Cell("every-30s", NOTHING, course, 1) for course in COURSES[:2]]
    (one, two) = seen = matrix.seen(cells, builtin_rules(), builtin_subjects())
    assert (one.outcome.variant, two.outcome.variant) == COURSES[:2]
    assert one.outcome.found is not None
    assert one.outcome.found.rule == "trapped-passenger-suspected"
    row = [line for line in matrix.lines(seen) if line.startswith(f"  {NOTHING}")]
    assert [line.split()[1] for line in row] == ["1/1"]


def test_the_matrix_keeps_its_order_in_two_processes() -> None:
    cells = [Cell("every-30s", missing, "off-level", 1) for missing in ("no-load", NOTHING, "no-counters")]
    together, apart = (matrix.seen(cells, builtin_rules(), builtin_subjects(), processes) for processes in (1, 2))
    assert [one.cell for one in apart] == cells
    assert apart == together
