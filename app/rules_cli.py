"""The commands about rules: ``anju rules check | test``."""

import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from alerts.packs import builtin_tests
from alerts.rules.loading import Loaded, check_file
from alerts.ruletests import Difference, TestResult, run_series
from core.errors import StartupError

cli = typer.Typer(help="Rule files.", no_args_is_help=True)
Files = Annotated[list[Path], typer.Argument(help="Rule files, YAML.")]


@cli.command()
def check(files: Files) -> None:
    """Check rule files: every mistake with file, line and what was expected."""
    broken = False
    for file in files:
        loaded = check_file(_text(file), str(file))
        broken = broken or bool(loaded.mistakes)
        for mistake in loaded.mistakes:
            print(mistake, file=sys.stderr)
        if not loaded.mistakes:
            tests = f", {len(loaded.tests)} tests" if loaded.tests else ""
            print(f"{file}: {len(loaded.rules)} rules{tests}, all valid")
    if broken:
        sys.exit(1)


@cli.command(name="test")
def run_tests(
    files: Annotated[list[Path] | None, typer.Argument(help="Rule files, YAML.")] = None,
    builtin: Annotated[bool, typer.Option("--builtin", help="Run the tests of the built-in pack.")] = False,
) -> None:
    """Run the test series that rule files carry, and show where what happens is not what they expect."""
    if not files and not builtin:
        raise StartupError("nothing to test: expected rule files, or --builtin")
    failed = False
    if builtin:
        failed = not _run("built-in pack", builtin_tests())
    for file in files or ():
        loaded = check_file(_text(file), str(file))
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


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise StartupError(f"rule file {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise StartupError(f"rule file {file}: not UTF-8: {error.reason} at byte {error.start}") from None
