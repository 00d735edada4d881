"""The rules in force, read again whenever a file or the rule book changes; what is broken changes nothing."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from alerts.history import RuleRevisionRow
from alerts.packs import BUILTIN, builtin_text
from alerts.rules import Rule, RuleError
from alerts.rules.book import BUILTIN_SOURCE, RuleInForce, differences, enabled, merged
from alerts.rules.loading import Loaded, check_file
from app.files import Fingerprint, UnreadableFile, fingerprint, read_text
from core.errors import TemporaryError

_Print = tuple[Fingerprint, ...]
_log = structlog.get_logger()


class Revisions(Protocol):
    """The reading side of the rule book. Everything raises `TemporaryError`."""

    async def version(self) -> int:
        """Return the number of the newest revision, 0 when there is none."""
        ...

    async def newest(self) -> Sequence[RuleRevisionRow]:
        """Return the newest revision of every rule."""
        ...


class RuleSource:
    """Built-in pack, files and rule book together: all of it is taken over, or nothing.

    ``paths`` are rule files, and folders of which every ``*.yaml`` counts, in the order of their names. ``problem``
    says what is in the way of a change, empty when nothing is; ``version`` rises with every change that was taken.
    """

    def __init__(self, *, builtin: bool, paths: Sequence[Path] = (), book: Revisions | None = None) -> None:
        self._builtin = builtin
        self._paths = paths
        self._book = book
        self._listed: list[RuleInForce] = []
        self._seen: tuple[_Print, int] | None = None
        self._refused = ""
        self._away = ""
        self.version = 0

    @property
    def problem(self) -> str:
        return self._away or self._refused

    async def load(self) -> Sequence[Rule]:
        """Return the rules at a start. Raises `RuleError` for what is wrong in a file, and `TemporaryError`.

        A rule of the book that a newer Anju does not understand is left out and named in ``problem``: no person could
        mend it if nothing started.
        """
        seen = await self._look()  # Before the files are read: what is saved meanwhile is seen to have changed.
        files = await asyncio.to_thread(self._files)
        for loaded in files.values():
            if loaded.mistakes:
                raise loaded.mistakes[0]
        found = merged(files, await self._revisions())
        for mistake in found.mistakes:
            if mistake.filename in files:
                raise mistake
        self._refuse(found.mistakes)
        self._seen, self._listed, self.version = seen, found.listed, 1
        return enabled(found.listed)

    async def changed(self) -> Sequence[Rule] | None:
        """Return the rules if they are others than before, ``None`` if not; cheap, to be asked every second."""
        try:
            seen = await self._look()
            self._away = ""
            if seen == self._seen:
                return None
            revisions = await self._revisions()
        except TemporaryError as error:
            self._miss(f"rule book: {error}")
            return None
        found = merged(await asyncio.to_thread(self._files), revisions)
        self._seen = seen
        if found.mistakes:
            self._refuse(found.mistakes)
            return None
        return self._take(found.listed)

    def in_force(self) -> Sequence[RuleInForce]:
        """Return the rules that were taken last, those switched off among them, by id."""
        return self._listed

    def rules(self) -> Sequence[Rule]:
        """Return the rules that decide, as they were taken last."""
        return enabled(self._listed)

    def _take(self, listed: list[RuleInForce]) -> Sequence[Rule] | None:
        before, now = enabled(self._listed), enabled(listed)
        self._listed, self._refused = listed, ""
        if before == now:
            return None
        self.version += 1
        _log.info("rules.reloaded", version=self.version, rules=len(now), **differences(before, now))
        return now

    def _refuse(self, mistakes: Sequence[RuleError]) -> None:
        for mistake in mistakes:
            _log.warning("rules.refused", reason=str(mistake))
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        self._refused = f"{mistakes[0]}{more}" if mistakes else ""

    def _miss(self, problem: str) -> None:
        if self._away != problem:
            _log.warning("rules.unavailable", reason=problem)
        self._away = problem

    async def _look(self) -> tuple[_Print, int]:
        prints = await asyncio.to_thread(lambda: tuple(fingerprint(path) for path in self._expanded()))
        return prints, 0 if self._book is None else await self._book.version()

    async def _revisions(self) -> Sequence[RuleRevisionRow]:
        return () if self._book is None else await self._book.newest()

    def _files(self) -> dict[str, Loaded]:
        found = {BUILTIN_SOURCE: check_file(builtin_text(), BUILTIN)} if self._builtin else {}
        return found | {str(path): _checked(path) for path in self._expanded()}

    def _expanded(self) -> Iterator[Path]:
        """Yield the rule files; a folder that cannot be listed stands for itself: reading it says what is wrong."""
        for path in self._paths:
            if os.path.isdir(path):
                try:
                    yield from listed(path)
                except OSError:
                    yield path
            else:
                yield path


def listed(folder: Path) -> list[Path]:
    """Return the rule files in ``folder`` by name; raises `OSError`, where `Path.glob` would find nothing."""
    return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".yaml")]


def rules_text(path: Path) -> str:
    """Return what stands in ``path``; raises `RuleError`."""
    return read_text(path, "a rule file")


def _checked(path: Path) -> Loaded:
    try:
        if os.path.isdir(path):
            listed(path)
        return check_file(rules_text(path), str(path))
    except OSError as error:
        wrong = UnreadableFile(str(path), 1, f"{error.strerror}: expected a folder of rule files")
        return Loaded([], [], [], [], [], [wrong])
    except RuleError as error:
        return Loaded([], [], [], [], [], [error])
