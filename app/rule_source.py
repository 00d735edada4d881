"""The rules in force, read again whenever a file or the rule book changes; what is broken changes nothing."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from alerts.history import RuleRevisionRow
from alerts.packs import builtin_pack
from alerts.rules import Rule, RuleError
from alerts.rules.book import BOOK_SOURCE, BUILTIN_SOURCE, Merged, RuleInForce, differences, enabled, merged
from alerts.rules.loading import Loaded, check_file
from app.files import Fingerprint, UnreadableFile, fingerprint, parsed, read_text
from app.last_good import LastGood, going_on, going_on_built_in
from core.errors import TemporaryError

_Print = tuple[Fingerprint, ...]


class _Read(NamedTuple):
    """The texts of files by name, and why others could not be read."""

    texts: dict[str, str]
    mistakes: list[RuleError]


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
    ``last_good`` is what a start with a broken file goes on with.
    """

    def __init__(
        self,
        *,
        builtin: bool,
        paths: Sequence[Path] = (),
        book: Revisions | None = None,
        last_good: LastGood | None = None,
    ) -> None:
        self._builtin = builtin
        self._paths = paths
        self._book = book
        self._last_good = last_good
        self._listed: list[RuleInForce] = []
        self._seen: tuple[_Print, int] | None = None
        self.refused = ""
        """Why what is newest is not in force; empty when it is."""
        self._instead = ""
        """What is in force since a start with a broken file, as `refused` says it."""
        self._away = ""
        self.version = 0

    @property
    def problem(self) -> str:
        return self._away or self.refused

    async def load(self) -> Sequence[Rule]:
        """Return the rules at a start; where a file is broken those that were good last, which ``problem`` says.

        Raises `RuleError` for what is wrong in a file while there never were good ones, and `TemporaryError`. A rule of
        the book that a newer Anju does not understand is left out and named in ``problem``: no person could mend it if
        nothing started.
        """
        seen = await self._look()  # Before the files are read: what is saved meanwhile is seen to have changed.
        read, revisions = await asyncio.to_thread(self._read), await self._revisions()
        found = await asyncio.to_thread(self._merged, read.texts, revisions)
        broken = [*read.mistakes, *_of_files(found)]
        self.version = 1
        if broken:
            self._listed = await self._fall_back(broken[0], revisions)
        else:
            self._refuse(found.mistakes)
            self._listed = found.listed
            self._took(read)
        self._seen = seen if not read.mistakes else None
        await self._keep()
        return enabled(self._listed)

    async def changed(self) -> Sequence[Rule] | None:
        """Return the rules if they are others than before, ``None`` if not; cheap, to be asked every second."""
        taken = await self._changed()
        await self._keep()
        return taken

    async def _changed(self) -> Sequence[Rule] | None:
        try:
            seen = await self._look()
            self._away = ""
            if seen == self._seen:
                return None
            revisions = await self._revisions()
        except TemporaryError as error:
            self._miss(f"rule book: {error}")
            return None
        read = await asyncio.to_thread(self._read)
        if read.mistakes:
            self._seen = None  # Rights and descriptors may be mended without any change of the file.
            self._refuse(read.mistakes)
            return None
        self._seen = seen
        found = await asyncio.to_thread(self._merged, read.texts, revisions)
        if found.mistakes:
            self._refuse(found.mistakes)
            return None
        self._took(read)
        return self._take(found.listed)

    def in_force(self) -> Sequence[RuleInForce]:
        """Return the rules that were taken last, those switched off among them, by id."""
        return self._listed

    def rules(self) -> Sequence[Rule]:
        """Return the rules that decide, as they were taken last."""
        return enabled(self._listed)

    def _take(self, listed: list[RuleInForce]) -> Sequence[Rule] | None:
        before, now = enabled(self._listed), enabled(listed)
        self._listed, self.refused, self._instead = listed, "", ""
        if before == now:
            return None
        self.version += 1
        _log.info("rules.reloaded", version=self.version, rules=len(now), **differences(before, now))
        return now

    async def _fall_back(self, broken: RuleError, revisions: Sequence[RuleRevisionRow]) -> list[RuleInForce]:
        """Return the rules that were good last, the built-in ones where those are understood no more.

        Raises ``broken`` where there never were any.
        """
        kept = None if self._last_good is None else await self._last_good.read()
        if kept is None:
            raise broken
        found = await asyncio.to_thread(self._merged, kept.texts, revisions)
        misfits = _of_files(found)
        if misfits:
            found = merged({BUILTIN_SOURCE: builtin_pack()}, revisions)
        self._instead = going_on_built_in(kept, misfits[0]) if misfits else going_on(kept)
        self._refuse([broken])
        return found.listed

    def _refuse(self, mistakes: Sequence[RuleError]) -> None:
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        refused = f"{mistakes[0]}{more}{self._instead}" if mistakes else ""
        if refused != self.refused:
            for mistake in mistakes:
                _log.warning("rules.refused", reason=f"{mistake}{self._instead}")
        self.refused = refused

    def _took(self, read: _Read) -> None:
        if self._last_good is not None:
            self._last_good.took(read.texts)

    async def _keep(self) -> None:
        if self._last_good is not None:
            await self._last_good.keep()

    def _miss(self, problem: str) -> None:
        if self._away != problem:
            _log.warning("rules.unavailable", reason=problem)
        self._away = problem

    async def _look(self) -> tuple[_Print, int]:
        prints = await asyncio.to_thread(lambda: tuple(fingerprint(path) for path in self._expanded()))
        return prints, 0 if self._book is None else await self._book.version()

    async def _revisions(self) -> Sequence[RuleRevisionRow]:
        return () if self._book is None else await self._book.newest()

    def _read(self) -> _Read:
        texts: dict[str, str] = {}
        mistakes: list[RuleError] = []
        for path in self._expanded():
            try:
                texts[str(path)] = rules_text(path)
            except RuleError as error:
                mistakes.append(error)
        return _Read(texts, mistakes)

    def _merged(self, texts: Mapping[str, str], revisions: Sequence[RuleRevisionRow]) -> Merged:
        """Return what follows from the texts of files, by name, with the built-in pack and the rule book."""
        loaded = {BUILTIN_SOURCE: builtin_pack()} if self._builtin else {}
        return merged(loaded | {name: _checked(text, name) for name, text in texts.items()}, revisions)

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
    try:
        if os.path.isdir(path):
            listed(path)
    except OSError as error:
        raise UnreadableFile(str(path), 1, f"{error.strerror}: expected a folder of rule files") from None
    return read_text(path, "a rule file")


def _checked(text: str, name: str) -> Loaded:
    try:
        return parsed(check_file, text, name)
    except RuleError as error:
        return Loaded([], [], [], [], [], [error])


def _of_files(found: Merged) -> list[RuleError]:
    """Return the mistakes of files: those of the rule book stop no start."""
    return [mistake for mistake in found.mistakes if not mistake.filename.startswith(f"{BOOK_SOURCE}: ")]
