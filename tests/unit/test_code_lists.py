"""Code lists: those that come with Anju are complete, files of a site are checked, broken ones stop nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.code_lists import put_in_force
from core.code_lists import builtin_lists, check_codes, combined, is_known, is_known_list, meaning_of, use_lists
from core.faults import CodeClass, EventKind, FaultKind, FaultSeverity

ROOT = Path(__file__).parents[2]
HEAD = "version: 1\nsource: acme\ngrade: B\nevidence: seen on site\ncodes:\n"


@pytest.fixture
def as_before() -> Iterator[None]:
    yield
    use_lists(builtin_lists())


def test_every_kind_of_fault_is_reached_by_a_code_and_so_is_every_severity() -> None:
    meanings = [meaning for codes in builtin_lists().values() for meaning in codes.values()]
    reached = {meaning.kind for meaning in meanings}
    assert reached >= {*FaultKind, *EventKind}  # main power off: the event of that name
    assert {meaning.severity for meaning in meanings if meaning.severity} == {*FaultSeverity}


def test_the_message_codes_of_the_standard_are_there_with_their_class() -> None:
    codes = builtin_lists()["gbt24476-2017"]
    classes = {code: meaning.code_class for code, meaning in codes.items()}
    assert classes == {
        **dict.fromkeys(["0", *map(str, range(40, 48))], CodeClass.EVENT),
        **dict.fromkeys(map(str, range(1, 9)), CodeClass.FAULT),
        **dict.fromkeys(map(str, range(90, 94)), CodeClass.ALARM),
    }
    assert list(builtin_lists()["cn-flag-set"]) == list("12345678")
    assert meaning_of("schindler", "0101").kind is FaultKind.TRAPPED


def test_the_same_number_means_what_its_list_says() -> None:
    kinds = [meaning_of(source, "8").kind for source in ("gbt24476-2017", "cn-flag-set", "nobody")]
    assert kinds == [FaultKind.RESTART_PREVENTED, FaultKind.MOVED_WITH_DOOR_OPEN, FaultKind.OTHER]


BROKEN = {
    "kind": ("  1: {class: fault, kind: broken, severity: major, zh: 坏, en: bad}\n", 6, "kind: 'broken' is no fault"),
    "class": ("  1: {class: odd, kind: brake, severity: major, zh: 坏, en: bad}\n", 6, "expected fault, event, alarm"),
    "an event as a fault": (
        "  1: {class: fault, kind: inspection, severity: major, zh: 坏, en: bad}\n",
        6,
        "'inspection' is no fault",
    ),
    "no severity": ("  1: {class: fault, kind: brake, zh: 坏, en: bad}\n", 6, "expected one of critical, major, minor"),
    "severity of an event": (
        "  1: {class: event, kind: inspection, severity: major, zh: 坏, en: bad}\n",
        6,
        "expected none",
    ),
    "no Chinese": ("  1: {class: fault, kind: brake, severity: major, en: bad}\n", 6, "`zh`"),
    "unknown key": (
        "  1:\n    class: fault\n    kind: brake\n    severity: major\n    zh: 坏\n    en: bad\n    hint: no\n",
        12,
        "`hint`",
    ),
    "too long": (
        f"  {'9' * 65}: {{class: event, kind: no_fault, zh: 无, en: none}}\n",
        6,
        "65 characters",
    ),
    "twice": (
        "  1: {class: fault, kind: brake, severity: major, zh: 坏, en: bad}\n"
        "  1: {class: fault, kind: other, severity: major, zh: 坏, en: bad}\n",
        7,
        "given twice",
    ),
    "no codes": ("  {}\n", 5, "codes"),
}


@pytest.mark.parametrize(("codes", "line", "text"), BROKEN.values(), ids=BROKEN)
def test_a_mistake_is_told_with_file_and_line(codes: str, line: int, text: str) -> None:
    (mistake,) = check_codes(HEAD + codes, "acme.yaml").mistakes
    assert (mistake.filename, mistake.line) == ("acme.yaml", line)
    assert text in str(mistake)


def test_codes_need_no_quotes_and_keep_their_zeros() -> None:
    found = check_codes(
        HEAD + "  0101: {class: fault, kind: trapped, severity: critical, zh: 困人, en: trapped}\n", "f"
    )
    assert (list(found.codes), found.mistakes) == (["0101"], [])


def test_a_site_adds_to_a_list_and_replaces_what_it_knows_better(tmp_path: Path, as_before: None) -> None:
    (tmp_path / "b.yaml").write_text(
        HEAD.replace("acme", "gbt24476-2017")
        + "  12: {class: fault, kind: brake, severity: critical, zh: 制动, en: brake}\n"
        + "  8: {class: fault, kind: overspeed, severity: critical, zh: 超速, en: too fast}\n"
    )
    (tmp_path / "notes.txt").write_text("no list")
    assert not is_known("gbt24476-2017", "12")
    assert put_in_force([tmp_path]) == ""
    kinds = [meaning_of("gbt24476-2017", code).kind for code in ("12", "8", "1")]
    assert kinds == [FaultKind.BRAKE, FaultKind.OVERSPEED, FaultKind.SAFETY_CHAIN_OPEN]


def test_a_broken_file_is_left_out_and_told_of_and_the_others_count(tmp_path: Path, as_before: None) -> None:
    good = HEAD.replace("acme", "good")
    (tmp_path / "a.yaml").write_text(good + "  1: {class: event, kind: no_fault, zh: 无, en: none}\n")
    (tmp_path / "b.yaml").write_text(HEAD + "  1: {class: fault, kind: brake, zh: 坏, en: bad}\n")
    (tmp_path / "c.yaml").write_text(good + "  1: {class: event, kind: inspection, zh: 检, en: i}\n")
    problem = put_in_force([tmp_path, tmp_path / "missing.yaml"])
    assert problem.startswith(f"{tmp_path / 'b.yaml'}:6: code 1: severity is missing")
    assert problem.endswith("(and 2 more)")
    assert meaning_of("good", "1").kind is EventKind.NO_FAULT
    assert not is_known_list("acme")


def test_two_files_that_give_one_code_are_a_mistake() -> None:
    code = "  1: {class: event, kind: no_fault, zh: 无, en: none}\n"
    with pytest.raises(Exception, match=r"second\.yaml:6: code 1 of acme stands in another file too"):
        combined([check_codes(HEAD + code, "first.yaml"), check_codes(HEAD + code, "second.yaml")])


def test_the_list_in_the_guide_is_valid() -> None:
    guide = (ROOT / "docs/how-to/connect-a-device.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    found = check_codes(written, "guide.yaml")
    assert (found.source, list(found.codes), found.mistakes) == ("acme-lift", ["F9896", "0317"], [])
