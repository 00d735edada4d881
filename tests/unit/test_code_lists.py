"""Code lists: those that come with Anju are complete, files of a site are checked, broken ones stop nothing."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alerts.inventory import Inventory
from alerts.scoring.truth import KnownIncident, Truth
from app.cli import cli
from app.code_lists import put_in_force
from app.corpus import Received, export
from core.code_lists import builtin_lists, check_codes, combined, is_known, is_known_list, meaning_of, use_lists
from core.devices import DeviceKey
from core.errors import StartupError
from core.faults import CodeClass, EventKind, FaultKind, FaultSeverity
from core.source import RuleError

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


MANY = """\
version: 2
source: acme
grade: E
colour: red
codes:
  1: {class: fault, kind: broken, severity: major, zh: 坏, en: bad}
  2: {class: odd, kind: brake, severity: high, zh: 坏}
"""
BRAKE = HEAD + "  F1: {class: fault, kind: brake, severity: critical, zh: 制动器故障, en: brake fault}\n"


def anju(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_the_command_tells_every_mistake_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANY)
    (tmp_path / "c.yaml").write_text(BRAKE)
    result = anju("codes", "check", tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "c.yaml")
    told = [line.removeprefix(f"{tmp_path}/").split(": expected")[0] for line in result.stderr.splitlines()]
    assert told == [
        "a.yaml:1: version: Invalid enum value 2",
        "a.yaml:1: Object missing required field `evidence`",
        "a.yaml:3: grade: Invalid enum value 'E'",
        "a.yaml:4: colour: Object contains unknown field `colour`",
        "a.yaml:6: code 1: kind: 'broken' is no fault",
        "a.yaml:7: code 2: class: Invalid enum value 'odd'",
        "a.yaml:7: code 2: severity: Invalid enum value 'high'",
        "a.yaml:7: code 2: Object missing required field `en`",
        "b.yaml:1: No such file or directory",
    ]
    assert (result.stdout, result.exit_code) == (f"{tmp_path / 'c.yaml'}: acme, 1 codes, all valid\n", 1)


def test_a_folder_without_lists_is_told(tmp_path: Path) -> None:
    result = anju("codes", "check", tmp_path)
    assert isinstance(result.exception, StartupError)
    assert "no code lists: expected files, or folders with *.yaml" in str(result.exception)


def test_a_broken_list_fails_the_check_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(MANY)
    monkeypatch.setenv("ANJU_CODES__FILES", json.dumps([str(tmp_path)]))
    error = anju("check-config").exception
    assert isinstance(error, RuleError)
    assert str(error).startswith(f"{tmp_path / 'a.yaml'}:1: version")


RULES = """\
version: 1
rules:
  - id: brake
    kind: elevator
    severity: critical
    title: {zh: 制动器故障, en: brake fault}
    next_step: {zh: 派人, en: send somebody}
    condition: {kind: event, types: [fault_raised], kinds: [brake], clears_on: [fault_cleared]}
tests:
  - name: a code of the site
    devices: [{name: lift-1, kind: elevator}]
    inputs:
      - {at: 0s, event: {type: fault_raised, source: acme, code: F1}}
    expect:
      - {at: 0s, transition: firing, rule: brake}
"""


@pytest.mark.usefixtures("as_before")
def test_rules_are_tested_and_scored_with_the_lists_of_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, codes = tmp_path / "rules.yaml", tmp_path / "codes.yaml"
    rules.write_text(RULES)
    codes.write_text(BRAKE)
    at, device = datetime(2026, 8, 14, 7, tzinfo=UTC), DeviceKey.from_path("demo/elevator/lift-1")
    said = {"at": at.isoformat(), "type": "fault_raised", "source": "acme", "code": "F1"}
    fault = KnownIncident(kind="lift_fault", device=device.path, began=at, ended=at + timedelta(minutes=5))
    truth = Truth(since=at, until=at + timedelta(hours=1), incidents=[fault])
    export(
        tmp_path, [Received(at, "anju/v1/demo/elevator/lift-1/event", json.dumps(said).encode())], Inventory(), truth
    )
    monkeypatch.setenv("ANJU_CODES__FILES", json.dumps([str(codes)]))
    assert anju("rules", "test", rules).stdout.splitlines()[-1] == f"{rules}: 1 tests, none failed"
    use_lists(builtin_lists())
    report = json.loads(anju("rules", "score", rules, "--corpus", tmp_path, "--json").stdout)
    assert [(one["rule"], one["found"]) for one in report["rules"]] == [("brake", 1)]
