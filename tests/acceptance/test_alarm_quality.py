"""The built-in rules in the short run of the scored corpus, beside the baseline that people have reviewed."""

import pytest

from alerts.dispatch.defaults import default_plan
from alerts.packs import builtin_rules, builtin_subjects
from app.score_words import lines
from tests.quality import baseline
from tests.quality.baseline import Baseline
from tests.quality.estate import Estate, Size, days, score

# A quarter: what is more changes what a duty room has to bear.
FALSE_AT_MOST = 1.25
# Of a rule with hardly any false alerts one more is no quarter worth speaking of.
FEW = 2
REVIEW = "run `python -m tests.quality baseline`, and have the difference reviewed"


def objections(now: Baseline, before: Baseline) -> list[str]:
    """Return in what ``now`` has fallen behind ``before``."""
    known = {*before.found, *before.known_misses}
    found = [f"missed, and found before: {name}" for name in before.found if name in now.known_misses]
    found += [
        f"not in the corpus any more: {name}; {REVIEW}" for name in sorted(known - {*now.found, *now.known_misses})
    ]
    found += [f"missed, and not known of: {name}; {REVIEW}" for name in sorted(set(now.known_misses) - known)]
    counts = {"all rules": (now.false_alerts, before.false_alerts)}
    counts |= {rule: (count, before.false_by_rule.get(rule, 0)) for rule, count in now.false_by_rule.items()}
    found += [
        f"false alerts of {rule}: {count}, before {earlier}; {REVIEW}"
        for rule, (count, earlier) in counts.items()
        if count > max(FALSE_AT_MOST * earlier, earlier + FEW)
    ]
    return found


@pytest.mark.timeout(900)  # A minute of one processor, which others may want as well.
def test_nothing_vital_is_missed_anew_and_false_alerts_do_not_rise() -> None:
    now, before = baseline.measured(), baseline.stored()
    assert objections(now, before) == []
    for name in sorted(set(before.known_misses) & set(now.found)):
        print(f"found now: {name}; {REVIEW}")


BEFORE = Baseline(["a", "b"], ["c"], 8, {"r": 8})


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (BEFORE, []),
        (Baseline(["a", "b", "c"], [], 2, {"r": 2}), []),
        (Baseline(["a", "b"], ["c"], 10, {"r": 10}), []),
        (Baseline(["a", "b"], ["c"], 10, {"r": 8, "s": 2}), []),
        (Baseline(["a", "b"], ["c"], 10, {"r": 7, "s": 3}), ["false alerts of s: 3, before 0"]),
        (
            Baseline(["a", "b"], ["c"], 11, {"r": 11}),
            [f"false alerts of {each}: 11, before 8" for each in ("all rules", "r")],
        ),
        (Baseline(["a"], ["b", "c"], 8, {"r": 8}), ["missed, and found before: b"]),
        (Baseline(["a"], ["c"], 8, {"r": 8}), ["not in the corpus any more: b"]),
        (Baseline(["a", "b"], ["c", "d"], 8, {"r": 8}), ["missed, and not known of: d"]),
    ],
)
def test_what_counts_as_falling_behind(now: Baseline, said: list[str]) -> None:
    found = objections(now, BEFORE)
    assert [text.partition(";")[0] for text in found] == said


@pytest.mark.timeout(300)
def test_an_estate_comes_to_the_same_in_one_process_and_in_two() -> None:
    estate = Estate(1, days(0.5), Size(lifts=4, gates=1, sheds=0))
    together, apart = (
        score(estate, builtin_rules(), builtin_subjects(), default_plan(), processes).report() for processes in (1, 2)
    )
    assert together.messages > 1_000
    assert list(lines(together)) == list(lines(apart))
    assert together == apart
