"""Scored corpora on disk: what is written is read again, and what is wrong is told with file and line."""

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from alerts.inventory import DeviceFacts
from alerts.packs import builtin_subjects
from alerts.scoring.truth import Disturbance, KnownIncident, Subject, Truth
from app.cli import cli
from app.corpus import MESSAGES, Corpus, CorpusError, Received, entries, write_facts, write_messages
from core.devices import DeviceKey

SINCE = datetime(2026, 8, 14, 7, 0, tzinfo=UTC)
CAMERA = DeviceKey.from_path("demo/thermal/shed-1")
TOPIC = "anju/v1/demo/thermal/shed-1/telemetry"
FIRE = KnownIncident(
    kind="fire",
    device=CAMERA.path,
    part="a",
    began=SINCE + timedelta(minutes=10),
    ended=SINCE + timedelta(minutes=20),
    first_sign=SINCE + timedelta(minutes=10),
)
SUN = Disturbance(
    cause="sun-patch", device=CAMERA.path, began=SINCE + timedelta(hours=2), ended=SINCE + timedelta(hours=4)
)
TRUTH = Truth(
    since=SINCE,
    until=SINCE + timedelta(hours=12),
    incidents=[FIRE],
    disturbances=[SUN],
    subjects={"hot": Subject(finds=("fire",))},
)
FACTS = {CAMERA: DeviceFacts(building="b3", tags=frozenset({"charging"}))}
RULES = """\
version: 1
rules:
  - id: hot
    kind: thermal
    severity: major
    title: {zh: 热, en: hot}
    next_step: {zh: 看, en: look}
    for: 10s
    condition: {kind: threshold, signal: maximum_celsius, above: 46, clear: 43}
"""


def look(seconds: float, celsius: float) -> Received:
    at = SINCE + timedelta(seconds=seconds)
    body = {"at": at.isoformat(), "regions": [{"region": "a", "maximum_celsius": celsius}]}
    return Received(at, TOPIC, json.dumps(body).encode())


def looks() -> list[Received]:
    """Two hot minutes, the first of them in the fire and the second in the sun, and one message nobody can read."""
    hot = [look(begins + second, 60.0) for begins in (620, 8_000) for second in range(0, 60, 5)]
    cool = [look(700, 20.0), look(8_100, 20.0)]
    return sorted([*hot, *cool, Received(SINCE + timedelta(seconds=9_000), TOPIC, b"\xff")])


def written(folder: Path, messages: Sequence[Received]) -> Path:
    write_messages(folder, messages)
    write_facts(folder, FACTS, TRUTH)
    return folder


def anju(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    corpus = Corpus(written(tmp_path, looks()))
    assert list(corpus.messages()) == looks()
    assert corpus.devices == FACTS
    assert (corpus.truth.incidents, corpus.truth.disturbances) == ([FIRE], [SUN])
    assert corpus.truth.subjects == {**builtin_subjects(), **TRUTH.subjects}


def test_the_same_corpus_is_the_same_file(tmp_path: Path) -> None:
    before = (written(tmp_path, looks()) / MESSAGES).read_bytes()
    assert (written(tmp_path, looks()) / MESSAGES).read_bytes() == before


def test_several_files_are_merged_by_arrival(tmp_path: Path) -> None:
    written(tmp_path, looks()[::2])
    (tmp_path / MESSAGES).rename(tmp_path / "messages-odd.jsonl.gz")
    write_messages(tmp_path, looks()[1::2])
    unpacked = gzip.decompress((tmp_path / MESSAGES).read_bytes())
    (tmp_path / MESSAGES).unlink()
    (tmp_path / "messages-even.jsonl").write_bytes(unpacked)
    assert list(Corpus(tmp_path).messages()) == looks()


def test_what_comes_again_is_a_duplicate() -> None:
    first, second = look(0, 20.0), look(5, 20.0)
    again = first._replace(received_at=SINCE + timedelta(seconds=9))
    numbered = list(entries([first, second, again]))
    assert [(one.position, one.duplicate) for one in numbered] == [(1, False), (2, False), (3, True)]


def _line(path: Path, number: int, text: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _truth(folder: Path, old: str, new: str) -> None:
    path = folder / "truth.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no messages": (lambda at: (at / "messages.jsonl").unlink(), "messages.jsonl.gz:1: not there: expected messages"),
    "no devices": (lambda at: (at / "devices.json").unlink(), "devices.json:1: No such file"),
    "no truth": (lambda at: (at / "truth.json").unlink(), "truth.json:1: No such file"),
    "a line that is no JSON": (lambda at: _line(at / "messages.jsonl", 3, "{"), "messages.jsonl:3: Input data was"),
    "a naive instant": (
        lambda at: _line(at / "messages.jsonl", 2, '{"received_at":"2026-08-14T07:11:00","topic":"t","payload":""}'),
        "messages.jsonl:2: Expected `datetime` with a timezone component",
    ),
    "neither payload": (
        lambda at: _line(at / "messages.jsonl", 2, '{"received_at":"2026-08-14T07:11:00Z","topic":"t"}'),
        "messages.jsonl:2: expected either `payload` or `payload_base64`",
    ),
    "out of order": (
        lambda at: _line(at / "messages.jsonl", 5, '{"received_at":"2026-08-14T07:00:00Z","topic":"t","payload":""}'),
        "messages.jsonl:5: received_at 2026-08-14T07:00:00+00:00: expected 2026-08-14T07:10:35+00:00 or later (as the",
    ),
    "before the span": (
        lambda at: _line(at / "messages.jsonl", 1, '{"received_at":"2026-08-14T06:00:00Z","topic":"t","payload":""}'),
        "or later (`since` of truth.json)",
    ),
    "after the span": (
        lambda at: _truth(at, '"until": "2026-08-14T19:00:00Z"', '"until": "2026-08-14T07:10:30Z"'),
        "messages.jsonl:3: received_at 2026-08-14T07:10:30+00:00: expected before",
    ),
    "a device that is none": (
        lambda at: (at / "devices.json").write_text('{"demo/thermal/shed-1": {},\n"shed-2": {}}'),
        "devices.json:2: device 'shed-2': expected community/kind/device",
    ),
    "a fact that is none": (
        lambda at: (at / "devices.json").write_text('{\n"demo/thermal/shed-1": {"colour": "red"}}'),
        "devices.json:2: demo/thermal/shed-1: Object contains unknown field `colour`",
    ),
    "an incident of a device that is not there": (
        lambda at: _truth(at, '"device":"demo/thermal/shed-1","part":"a"', '"device":"demo/thermal/shed-7"'),
        "truth.json:6: device 'demo/thermal/shed-7': expected one of devices.json",
    ),
    "an incident that ends before it begins": (
        lambda at: _truth(at, '"began":"2026-08-14T07:10', '"began":"2026-08-14T08:10'),
        "truth.json:6: ended 2026-08-14T07:20:00+00:00: expected 2026-08-14T08:10:00+00:00 or later",
    ),
    "a disturbance without a cause": (
        lambda at: _truth(at, '"cause":"sun-patch",', ""),
        "truth.json:9: Object missing required field `cause`",
    ),
    "a span without length": (
        lambda at: _truth(at, '"until": "2026-08-14T19', '"until": "2026-08-14T01'),
        "truth.json:1: since 2026-08-14T07:00:00+00:00: expected an instant before `until`",
    ),
    "an unknown zone": (
        lambda at: _truth(at, '"Asia/Shanghai"', '"Mars"'),
        "truth.json:4: zone 'Mars' is unknown: expected a name of the IANA list",
    ),
    "a truth that is no JSON": (lambda at: _truth(at, '"zone":', "zone:"), "truth.json:4: not JSON"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, name: str) -> None:
    written(tmp_path, looks())
    (tmp_path / "messages.jsonl").write_bytes(gzip.decompress((tmp_path / MESSAGES).read_bytes()))
    (tmp_path / MESSAGES).unlink()
    spoil, expected = MISTAKES[name]
    spoil(tmp_path)
    with pytest.raises(CorpusError) as caught:
        list(Corpus(tmp_path).messages())
    assert expected in str(caught.value)


def test_a_gzip_file_that_breaks_off_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, looks()) / MESSAGES
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CorpusError, match=r"messages\.jsonl\.gz:\d+: .*expected a whole gzip file"):
        list(Corpus(tmp_path).messages())


# ---------------------------------------------------------------- the command


def test_rules_of_a_file_are_scored(tmp_path: Path) -> None:
    rules = tmp_path / "mine.yaml"
    rules.write_text(RULES, encoding="utf-8")
    result = anju("rules", "score", rules, "--corpus", written(tmp_path, looks()))
    assert result.exit_code == 0, result.output
    said = result.stdout.splitlines()
    assert said[0] == (
        "2026-08-14 15:00 to 2026-08-15 03:00 (Asia/Shanghai), 0.5 days: "
        "1 devices, 27 messages (0 duplicates, 1 rejected)"
    )
    (hot,) = [line.split() for line in said if line.startswith("  hot  ")]
    assert hot == ["hot", "major", "2", "1", "1", "60.00", "2", "1", "1", "0", "0", "30s", "30s"]
    assert "  hot: 1: sun-patch 1; demo/thermal/shed-1 1" in said


def test_without_a_file_the_builtin_pack_is_scored_and_json_is_all_of_it(tmp_path: Path) -> None:
    fire = [look(620 + second, 20.0 + second) for second in range(0, 60, 5)]
    sun = [look(7_000 + second, 20.0 + second / 30) for second in range(0, 1_200, 5)]
    report = json.loads(anju("rules", "score", "--corpus", written(tmp_path, [*fire, *sun]), "--json").stdout)
    scores = {one["rule"]: one for one in report["rules"]}
    assert scores["thermal-alarm"]["found"] == 1
    assert scores["trapped-passenger"]["alerts"] == 0
    # The camera falls silent twice: after the fire, and in the sun.
    assert [(one["rule"], one["cause"]) for one in report["false_alerts"]] == [
        ("thermal-offline", "unknown"),
        ("thermal-offline", "sun-patch"),
    ]


def test_a_span_is_shown_in_three_figures(tmp_path: Path) -> None:
    begins = msgspec.structs.replace(TRUTH, since=SINCE - timedelta(hours=11, minutes=59, seconds=57))
    write_messages(tmp_path, looks())
    write_facts(tmp_path, FACTS, begins)
    assert " 1 days: 1 devices" in anju("rules", "score", "--corpus", tmp_path).stdout.splitlines()[0]


def test_a_missed_incident_is_named(tmp_path: Path) -> None:
    rules = tmp_path / "mine.yaml"
    rules.write_text(RULES.replace("46", "80").replace("43", "70"), encoding="utf-8")
    said = anju("rules", "score", rules, "--corpus", written(tmp_path, looks())).stdout
    assert "  2026-08-14 15:10:00  fire  demo/thermal/shed-1 a" in said.splitlines()


def test_a_broken_corpus_ends_the_command(tmp_path: Path) -> None:
    result = anju("rules", "score", "--corpus", tmp_path)
    assert isinstance(result.exception, CorpusError)
