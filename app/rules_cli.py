"""The commands about rules: ``anju rules check | test | backtest | score | corpus | list``."""

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from alerts.backtest import BacktestReport
from alerts.packs import builtin_rules, builtin_tests
from alerts.rules import Rule
from alerts.rules.book import RuleInForce
from alerts.rules.loading import Loaded, check_file
from alerts.ruletests import Difference, TestResult, run_series
from alerts.scoring.truth import Truth
from app import backtest_words, score_words, settings, wiring
from app.backtest import Span, run_backtest
from app.backtester import opened
from app.code_lists import required_lists
from app.corpus import TRUTH, Corpus, export, received
from app.plan_source import read_plan
from app.rule_source import rules_text
from app.score import scored
from core.clock import SystemClock
from core.code_lists import use_lists
from core.durations import PATTERN, microseconds
from core.errors import StartupError

cli = typer.Typer(help="Rule files.", no_args_is_help=True)
Config = Annotated[Path | None, typer.Option("--config", help="TOML file; environment variables go before it.")]
Files = Annotated[list[Path], typer.Argument(help="Rule files, YAML.")]


@cli.command()
def check(files: Files) -> None:
    """Check rule files: every mistake with file, line and what was expected."""
    broken = False
    for file in files:
        loaded = check_file(rules_text(file), str(file))
        broken = broken or bool(loaded.mistakes)
        for mistake in loaded.mistakes:
            print(mistake, file=sys.stderr)
        if not loaded.mistakes:
            tests = f", {len(loaded.tests)} tests" if loaded.tests else ""
            print(f"{file}: {len(loaded.rules)} rules{tests}, all valid")
    if broken:
        sys.exit(1)


@cli.command()
def backtest(
    rule: Annotated[str, typer.Argument(help="A rule file, or the id of a rule in force.")],
    since: Annotated[str, typer.Option(help="How far back (30d), or from which instant on.")] = "30d",
    until: Annotated[str | None, typer.Option(help="Up to how long ago, or which instant; else now.")] = None,
    community: Annotated[str | None, typer.Option(help="Only this community.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything, as JSON.")] = False,
    config: Config = None,
) -> None:
    """Replay history through rules: what they would have raised, and how that compares with the rules in force."""
    loaded = settings.load(config)
    now, zone = SystemClock().now(), ZoneInfo(loaded.time.zone)
    end = now if until is None else min(_instant(until, now, zone), now)  # Beyond it every device would seem silent.
    span = Span(_instant(since, now, zone), end, community)
    report = asyncio.run(_backtested(loaded, rule, span))
    if json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        print("\n".join(backtest_words.lines(report, zone)))


async def _backtested(loaded: settings.Settings, rule: str, span: Span) -> BacktestReport:
    wiring.require_writable(loaded.var)
    async with opened(loaded, upgrading=True) as found:
        present = await found.rules.load()
        return await run_backtest(_chosen(rule, present), present, span, found.sources)


def _chosen(rule: str, present: Sequence[Rule]) -> Sequence[Rule]:
    """Return the rules of the file ``rule``, or the rule in force of that id."""
    if Path(rule).is_file():
        return _valid(Path(rule)).rules
    named = [one for one in present if one.id == rule]
    if not named:
        raise StartupError(f"rule {rule!r}: expected a rule file, or the id of a rule in force (`anju rules list`)")
    return named


def _valid(file: Path) -> Loaded:
    loaded = check_file(rules_text(file), str(file))
    for mistake in loaded.mistakes:
        print(mistake, file=sys.stderr)
    if loaded.mistakes:
        sys.exit(1)
    return loaded


def _instant(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the instant so long before ``now``, or the one written; without an offset it is the community's time."""
    if re.match(PATTERN, text):
        return now - timedelta(microseconds=microseconds(text))
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise StartupError(f"{text!r}: expected a duration such as 30d, or an instant such as 2026-08-14") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


@cli.command()
def score(
    corpus: Annotated[Path, typer.Option(help="Folder with messages, devices.json and truth.json.")],
    file: Annotated[Path | None, typer.Argument(help="A rule file, YAML; else the built-in pack.")] = None,
    plan: Annotated[Path | None, typer.Option(help="Who is told; else the plan that comes with Anju.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything, as JSON.")] = False,
    config: Config = None,
) -> None:
    """Replay a corpus of known truth through rules: what they find, how late, and what is false."""
    use_lists(required_lists(settings.load(config).codes.files))
    rules = builtin_rules() if file is None else _valid(file).rules
    report = scored(rules, Corpus(corpus), read_plan(plan)).report()
    if json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        print("\n".join(score_words.lines(report)))


@cli.command()
def corpus(
    folder: Annotated[Path, typer.Argument(help="Where to write; a folder that is not there yet.")],
    since: Annotated[str, typer.Option(help="How far back (30d), or from which instant on.")] = "30d",
    until: Annotated[str | None, typer.Option(help="Up to how long ago, or which instant; else now.")] = None,
    config: Config = None,
) -> None:
    """Write what the journal holds as a corpus for `anju rules score`, with a truth.json to fill in."""
    loaded = settings.load(config)
    now, zone = SystemClock().now(), ZoneInfo(loaded.time.zone)
    end = now if until is None else min(_instant(until, now, zone), now)
    count = asyncio.run(_exported(loaded, folder, _instant(since, now, zone), end))
    print(f"{folder}: {count} messages; now write what really happened into {folder / TRUTH}")


async def _exported(loaded: settings.Settings, folder: Path, since: datetime, until: datetime) -> int:
    wiring.require_writable(loaded.var)
    async with opened(loaded, upgrading=True) as found:
        if found.sources.journal is None:
            raise StartupError(f"there is no journal at {loaded.journal_path}")
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise StartupError(f"{folder}: {error.strerror}: expected a folder that is not there yet") from None
        begins = found.sources.journal.begins()
        # Else every figure for a day would count days of which nothing is known.
        first = begins if begins is not None and since < begins < until else since
        if first > since:
            shown = f"{first.astimezone(ZoneInfo(loaded.time.zone)):%Y-%m-%d %H:%M:%S}"
            print(f"the journal begins at {shown}, and so does the corpus")
        truth = Truth(since=first, until=until, zone=loaded.time.zone)
        return export(folder, received(found.sources.journal.entries(since, until)), found.sources.inventory, truth)


@cli.command(name="list")
def list_rules(config: Config = None) -> None:
    """List the rules in force and those switched off, with where each stands."""
    listed, problem = asyncio.run(_listed(settings.load(config)))
    for one in listed:
        revision = f" revision {one.revision}" if one.revision else ""
        off = "" if one.enabled else "  (switched off)"
        severity = one.rule.severity.value if one.rule else "-"
        print(f"{one.id:<32}  {severity:<8}  {one.source}{revision}{off}")
    if problem:
        print(f"not in force: {problem}", file=sys.stderr)


async def _listed(loaded: settings.Settings) -> tuple[Sequence[RuleInForce], str]:
    wiring.require_writable(loaded.var)
    async with opened(loaded, upgrading=True) as found:
        await found.rules.load()
        return found.rules.in_force(), found.rules.problem


@cli.command(name="test")
def run_tests(
    files: Annotated[list[Path] | None, typer.Argument(help="Rule files, YAML.")] = None,
    builtin: Annotated[bool, typer.Option("--builtin", help="Run the tests of the built-in pack.")] = False,
    config: Config = None,
) -> None:
    """Run the test series that rule files carry, and show where what happens is not what they expect."""
    if not files and not builtin:
        raise StartupError("nothing to test: expected rule files, or --builtin")
    use_lists(required_lists(settings.load(config).codes.files))
    failed = False
    if builtin:
        failed = not _run("built-in pack", builtin_tests())
    for file in files or ():
        loaded = check_file(rules_text(file), str(file))
        for mistake in loaded.mistakes:
            print(mistake, file=sys.stderr)
        failed = bool(loaded.mistakes) or not _run(str(file), loaded) or failed
    if failed:
        sys.exit(1)


def _run(name: str, loaded: Loaded) -> bool:
    """Print how the tests of one file end; return whether all passed."""
    if not loaded.tests:
        print(f"{name}: no tests: expected a list `tests` beside `rules`")
        return True
    results = [run_series(test, loaded.rules) for test in loaded.tests]
    for result, line in zip(results, loaded.test_lines, strict=True):
        print("\n".join(told(result, f"{name}:{line}")))
    failures = sum(not result.passed for result in results)
    print(f"{name}: {len(results)} tests, {failures or 'none'} failed")
    return not failures


def told(result: TestResult, place: str) -> Iterator[str]:
    """Yield the lines that tell how one test ended."""
    if result.passed:
        yield f"ok    {result.name}"
        return
    restarts = ", but only with a restart between all messages" if result.after_restarts else ""
    yield f"FAIL  {result.name} ({place}){restarts}"
    yield from _table(result.differences)


def _table(differences: Sequence[Difference]) -> Iterator[str]:
    for one in differences:
        what = "expected, did not happen" if one.expected else "happened, not expected  "
        when = _clock(one.since) if one.since == one.until else f"{_clock(one.since)} to {_clock(one.until)}"
        severity = f" {one.severity}" if one.severity else ""
        reason = f": {one.reason}" if one.reason else ""
        yield f"      {what}  {when:>16}  {one.rule} of {one.device} {one.transition}{severity}{reason}"


def _clock(since: timedelta) -> str:
    """Return a span as rule files write instants: 90s, 1.5s."""
    return f"{since.total_seconds():g}s" if since < timedelta(hours=1) else str(since)
