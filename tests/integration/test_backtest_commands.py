"""`anju rules backtest` and `list`, and the backtests of the API, on the files that Anju keeps."""

import asyncio
import gzip
import json
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alerts.rules import RuleError
from app.backtester import Backtester
from app.cli import cli
from app.settings import RulesSettings, Settings
from core.clock import SystemClock
from core.errors import PermanentError, TemporaryError
from storage.journal.sqlite import SqliteJournal
from storage.records import RecordsDatabase, RuleBookAdapter, upgrade
from tests.integration.test_backtest import CAMERA, said

NOW = SystemClock().now().replace(microsecond=0)
HOT = """\
id: hot
kind: thermal
severity: major
title: {zh: 热, en: hot}
next_step: {zh: 看, en: look}
for: 10s
condition: {kind: threshold, signal: maximum_celsius, above: 46, clear: 43}
"""
HIGHER = HOT.replace("above: 46", "above: 52")


def rule_file(path: Path, rule: str) -> Path:
    path.write_text("version: 1\nrules:\n  - " + rule.rstrip().replace("\n", "\n    ") + "\n", encoding="utf-8")
    return path


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """A folder of Anju's with a journal of ten days: every day at 08:00 UTC a spell of 60 s, every other one hotter."""
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    journal.open()
    midnight = NOW.replace(hour=0, minute=0, second=0)
    for day in range(10, 0, -1):
        begins = midnight - timedelta(days=day) + timedelta(hours=8)
        celsius = 55.0 if day % 2 else 48.0
        looks = [(begins + timedelta(seconds=5 * number), celsius) for number in range(12)]
        looks.append((begins + timedelta(seconds=60), 20.0))
        journal.append(
            [
                said(CAMERA, "telemetry", at, number, regions=[{"region": "a", "maximum_celsius": heat}])
                for number, (at, heat) in enumerate(looks)
            ]
        )
    journal.close()
    rule_file(tmp_path / "site.yaml", HOT)
    return tmp_path


def anju(var: Path, *words: str | Path) -> Result:
    environment = {
        "ANJU_VAR": str(var),
        "ANJU_RULES__FILES": json.dumps([str(var / "site.yaml")]),
        "ANJU_RULES__BUILTIN": "false",
    }
    return CliRunner().invoke(cli, [str(word) for word in words], env=environment)


def settings(var: Path) -> Settings:
    return Settings(var=var, rules=RulesSettings(builtin=False, files=[var / "site.yaml"]))


async def test_a_rule_in_force_by_its_id(var: Path) -> None:
    lines = (await asyncio.to_thread(anju, var, "rules", "backtest", "hot", "--since", "30d")).stdout.splitlines()
    assert lines[0].startswith("hot: 10 alerts, ")
    assert any("journal" in line and "130 messages" in line for line in lines)
    alerts = [line for line in lines if " hot  demo/thermal/shed-1  major: " in line]
    assert len(alerts) == 10
    assert all("16:00:10  for 50 s" in line for line in alerts), "08:00 UTC is 16:00 in Shanghai"
    assert not any("[" in line for line in alerts)


async def test_a_file_beside_the_rule_in_force_as_json(var: Path) -> None:
    candidate = rule_file(var / "candidate.yaml", HIGHER)
    result = await asyncio.to_thread(anju, var, "rules", "backtest", candidate, "--json", "--since", "30d")
    report = json.loads(result.stdout)
    assert report["total"] == 5
    compared = report["comparison"]
    assert (compared["both"], compared["only_new"], compared["only_present"]) == (5, 0, 5)
    assert [day["alerts"] for day in report["days"] if day["alerts"]] == [1] * 5
    shown = await asyncio.to_thread(anju, var, "rules", "backtest", candidate)
    assert "  both raise 5, only the new ones 0, only the present ones 5" in shown.stdout.splitlines()
    assert shown.stdout.count("[now too]") == 5
    assert shown.stdout.count("  lost: ") == 5


async def test_a_span_in_durations_and_in_instants(var: Path) -> None:
    day = (NOW - timedelta(days=3)).date().isoformat()
    for words in (["--since", "5d"], ["--since", day], ["--since", f"{day}T00:00:00Z", "--until", "1d"]):
        result = await asyncio.to_thread(anju, var, "rules", "backtest", "hot", *words)
        assert result.exit_code == 0, result.output


REFUSED = {
    "an unknown rule": (["warm"], "rule 'warm': expected a rule file, or the id of a rule in force"),
    "a span that is none": (["hot", "--since", "soon"], "'soon': expected a duration such as 30d, or an instant"),
    "a span without messages": (["hot", "--since", "30d", "--until", "20d"], "nothing to replay"),
    "a community without messages": (["hot", "--community", "nowhere"], "nothing to replay"),
    "backwards": (["hot", "--since", "1d", "--until", "2d"], "expected an instant before"),
}


@pytest.mark.parametrize(("words", "expected"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_be_replayed_is_said_in_one_line(words: Sequence[str], expected: str, var: Path) -> None:
    result = await asyncio.to_thread(anju, var, "rules", "backtest", *words)
    assert result.exit_code == 1
    assert expected in str(result.exception)


async def test_a_broken_file_is_told_with_all_its_mistakes(var: Path) -> None:
    candidate = rule_file(var / "candidate.yaml", HOT.replace("10s", "soon").replace("major", "bad"))
    result = await asyncio.to_thread(anju, var, "rules", "backtest", candidate)
    assert result.exit_code == 1
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == ["5", "8"]


async def test_the_list_says_where_each_rule_stands(var: Path) -> None:
    await keep(var, "own", HOT.replace("hot", "own"), enabled=True)
    await keep(var, "hot", HIGHER, enabled=False)
    lines = (await asyncio.to_thread(anju, var, "rules", "list")).stdout.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "hot major rule book revision 1 (switched off)",
        "own major rule book revision 1",
    ]


async def keep(var: Path, rule: str, text: str, *, enabled: bool) -> None:
    url = settings(var).records_url
    await upgrade(url)
    database = RecordsDatabase(url)
    await database.open()
    await RuleBookAdapter(database).put(rule, text, enabled=enabled, author="li", comment="", now=NOW)
    await database.close()


@pytest.fixture
async def backtester(var: Path) -> Backtester:
    """What the API asks, over records that are up to date."""
    await upgrade(settings(var).records_url)
    return Backtester(settings(var))


async def test_while_a_rule_file_is_broken_backtests_compare_with_nothing_and_say_so(
    var: Path, backtester: Backtester
) -> None:
    rule_file(var / "site.yaml", HOT.replace("major", "bad"))
    report = await backtester.backtest(HIGHER, NOW - timedelta(days=12), NOW)
    assert (report.total, report.comparison) == (5, None)
    assert any("compared with nothing" in note and "site.yaml:5: " in note for note in report.notes)


async def test_the_api_backtests_one_rule_or_a_file_while_the_event_loop_goes_on(
    var: Path, backtester: Backtester
) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.001)

    beating = asyncio.create_task(beat())
    report = await backtester.backtest(HIGHER, NOW - timedelta(days=12), NOW)
    beating.cancel()
    assert (report.total, report.comparison and report.comparison.only_present) == (5, 5)
    assert beats > 10
    whole = (var / "site.yaml").read_text(encoding="utf-8")
    assert (await backtester.backtest(whole, NOW - timedelta(days=12), NOW)).total == 10
    assert (await backtester.backtest(whole, NOW - timedelta(days=12), NOW, "demo")).total == 10


async def test_backtests_of_the_api_are_bounded(backtester: Backtester) -> None:
    with pytest.raises(RuleError, match="rule:3: rule hot: severity"):
        await backtester.backtest(HOT.replace("major", "bad"), NOW - timedelta(days=1), NOW)
    with pytest.raises(PermanentError, match="expected 31 days at most"):
        await backtester.backtest(HOT, NOW - timedelta(days=32), NOW)


async def test_one_backtest_at_a_time(backtester: Backtester) -> None:
    first = asyncio.create_task(backtester.backtest(HOT, NOW - timedelta(days=12), NOW))
    second = asyncio.create_task(backtester.backtest(HOT, NOW - timedelta(days=12), NOW))
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    (refused,) = [one for one in outcomes if isinstance(one, BaseException)]
    (report,) = [one for one in outcomes if not isinstance(one, BaseException)]
    assert isinstance(refused, TemporaryError)
    assert "another backtest is running" in str(refused)
    assert report.total == 10
    assert (await backtester.backtest(HOT, NOW - timedelta(days=12), NOW)).total == 10


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.05, 0.2])
async def test_a_cancelled_backtest_ends_soon_and_leaves_nothing_behind(
    seconds: float, var: Path, backtester: Backtester
) -> None:
    running = asyncio.create_task(backtester.backtest(HOT, NOW - timedelta(days=12), NOW))
    await asyncio.wait([running], timeout=seconds)
    running.cancel()
    await asyncio.wait([running], timeout=10)
    assert running.done()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("telemetry")]
    assert (await backtester.backtest(HOT, NOW - timedelta(days=12), NOW)).total == 10


async def test_the_journal_becomes_a_corpus_that_is_scored(var: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    result = await asyncio.to_thread(anju, var, "rules", "corpus", corpus, "--since", "30d")
    assert result.stdout.splitlines()[-1] == (
        f"{corpus}: 130 messages; now write what really happened into {corpus / 'truth.json'}"
    )
    assert list(json.loads((corpus / "devices.json").read_text())) == [CAMERA.path]
    truth = json.loads((corpus / "truth.json").read_text())
    with gzip.open(corpus / "messages.jsonl.gz") as messages:
        assert truth["since"] == json.loads(next(messages))["received_at"]  # The journal begins later than 30 days ago.
    assert "the journal begins at" in result.stdout
    begins = (NOW - timedelta(days=3)).replace(hour=8, minute=0, second=0)
    known = {"kind": "fire", "device": CAMERA.path, "began": begins.isoformat(), "ended": begins.isoformat()}
    (corpus / "truth.json").write_text(json.dumps({**truth, "incidents": [known]}))
    scored = await asyncio.to_thread(anju, var, "rules", "score", var / "site.yaml", "--corpus", corpus, "--json")
    (hot,) = json.loads(scored.stdout)["rules"]
    assert (hot["alerts"], hot["true"], hot["found"]) == (10, 1, 1)


async def test_a_corpus_is_written_beside_no_other(var: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    result = await asyncio.to_thread(anju, var, "rules", "corpus", tmp_path / "corpus")
    assert "expected a folder that is not there yet" in str(result.exception)
