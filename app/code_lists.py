"""Code lists of a site: files beside those that come with Anju, read when a part starts; `anju codes check | list`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import structlog
import typer

from app import settings
from app.files import parsed, read_text
from app.rule_source import listed
from core.code_lists import CodeFile, CodeLists, builtin_lists, check_codes, combined, use_lists
from core.errors import StartupError
from core.source import RuleError

_log = structlog.get_logger()
cli = typer.Typer(help="Code lists of lifts.", no_args_is_help=True)
Config = Annotated[Path | None, typer.Option("--config", help="TOML file; environment variables go before it.")]
Files = Annotated[list[Path], typer.Argument(help="Code lists, YAML, or folders of them.")]


def put_in_force(paths: Sequence[Path]) -> str:
    """Put the lists of ``paths``, beside those that come with Anju, in force in this process.

    A file with a mistake is left out: its codes are *other fault*, and nothing else stops. Returns what is wrong, empty
    where nothing is.
    """
    lists, mistakes = builtin_lists(), list[RuleError]()
    good: list[CodeFile] = []
    for path in _expanded(paths):
        try:
            found = [*good, _checked(path)]
            lists = combined(found, builtin_lists())
        except RuleError as error:
            mistakes.append(error)
            _log.warning("codes.refused", reason=str(error))
        else:
            good = found
    use_lists(lists)
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return f"{mistakes[0]}{more}" if mistakes else ""


def required_lists(paths: Sequence[Path]) -> CodeLists:
    """Return the lists of ``paths``, beside those that come with Anju; raises the first `RuleError` there is."""
    return combined(map(_checked, _expanded(paths)), builtin_lists())


def _expanded(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files; of a folder every ``*.yaml``, in the order of their names."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        try:
            yield from listed(path)
        except OSError:
            yield path  # Reading it says what is wrong.


def _checked(path: Path) -> CodeFile:
    return parsed(check_codes, read_text(path, "a code list"), str(path))


def _looked_at(path: Path) -> CodeFile:
    """Return what ``path`` holds; that it cannot be read is one of its mistakes."""
    try:
        return _checked(path)
    except RuleError as error:
        return CodeFile(str(path), "", {}, {}, [error])


@cli.command()
def check(files: Files) -> None:
    """Check code lists: every mistake with file, line and what was expected."""
    found = [_looked_at(path) for path in _expanded(files)]
    if not found:
        raise StartupError(f"{', '.join(map(str, files))}: no code lists: expected files, or folders with *.yaml")
    for file in found:
        for mistake in file.mistakes:
            print(mistake, file=sys.stderr)
        if not file.mistakes:
            print(f"{file.filename}: {file.source}, {len(file.codes)} codes, all valid")
    if any(file.mistakes for file in found):
        sys.exit(1)
    combined(found, builtin_lists())


@cli.command("list")
def list_codes(config: Config = None) -> None:
    """Print every code in force: list, code, class, kind, severity and names."""
    found = required_lists(settings.load(config).codes.files)
    for source, codes in sorted(found.items()):
        for code, meaning in codes.items():
            severity = meaning.severity or "-"
            print(f"{source}  {code}  {meaning.code_class}  {meaning.kind}  {severity}  {meaning.zh}  {meaning.en}")
