"""The last good version of the rules or of a plan: kept in the records, and read at a start whose files are broken.

Example: a power cut leaves NULs in ``rules.yaml``. The start reads the version that was kept when the file was taken
last, puts it in force, and says so in ``problem`` of its source, from where it becomes the component
``configuration/rules``: an alert, a line in ``/readyz`` and a red line in the terminal. A file that is mended takes its
place while running, like any other change.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import structlog

from core.clock import Clock
from core.configuration import GoodConfiguration
from core.errors import AnjuError, PermanentError

_Made = TypeVar("_Made")
_log = structlog.get_logger()


class GoodConfigurations(Protocol):
    """Where versions are kept. Everything raises `TemporaryError`."""

    async def newest(self, kind: str) -> GoodConfiguration | None:
        """Return the version that was kept last, ``None`` where there never was one."""
        ...

    async def keep(self, good: GoodConfiguration) -> None:
        """Keep ``good`` in place of the version before; may be repeated, by several programs."""
        ...


class LastGood:
    """The last good version of one ``kind``. Without ``clock`` it is only read: by commands, which decide nothing."""

    def __init__(self, records: GoodConfigurations, kind: str, clock: Clock | None) -> None:
        self._records = records
        self._kind = kind
        self._clock = clock
        self._due: GoodConfiguration | None = None
        self._failure = ""

    async def read(self) -> GoodConfiguration | None:
        """Return the version kept last, ``None`` where there never was one. Raises `TemporaryError`."""
        return await self._records.newest(self._kind)

    def took(self, texts: Mapping[str, str]) -> None:
        """Remember that ``texts``, by file, are good and in force; `keep` writes them. No files, nothing to keep."""
        if self._clock is not None and texts:
            self._due = GoodConfiguration(self._kind, texts, self._clock.now())

    async def keep(self) -> None:
        """Write what was taken since the last time, if anything; to be called every second. Never raises."""
        if self._due is None:
            return
        try:
            await self._records.keep(self._due)
        except AnjuError as error:
            if self._failure != str(error):
                _log.warning("configuration.not_kept", kind=self._kind, reason=str(error))
            self._failure = str(error)
        else:
            self._due, self._failure = None, ""


async def fall_back(
    last_good: LastGood | None,
    broken: PermanentError,
    made: Callable[[Mapping[str, str]], _Made],
    built_in: Callable[[], _Made],
) -> tuple[_Made, str]:
    """Return what is in force in place of a ``broken`` file at a start, and the words for it.

    It is what ``made`` makes of the version kept, or the built-in one where that raises `PermanentError`. Raises
    ``broken`` where no version was ever kept, and `TemporaryError`.
    """
    kept = None if last_good is None else await last_good.read()
    if kept is None:
        raise broken
    try:
        return await asyncio.to_thread(made, kept.texts), going_on(kept)
    except PermanentError as misfit:
        return await asyncio.to_thread(built_in), going_on_built_in(kept, misfit)


def going_on(kept: GoodConfiguration) -> str:
    """Say, behind what is wrong with a file, that the version kept is in force in its place."""
    return f"; in force is the last good version, of {kept.at:%Y-%m-%d %H:%M} UTC"


def going_on_built_in(kept: GoodConfiguration, misfit: PermanentError) -> str:
    """Say, behind what is wrong with a file, that the version kept is of no use either, as after an upgrade of Anju."""
    since = f"{kept.at:%Y-%m-%d %H:%M} UTC"
    return f"; the last good version, of {since}, cannot be used either ({misfit}): in force is the built-in one"


def components(*, rules: str, plan: str, emergency: str, codes: str = "") -> dict[str, str]:
    """Return the components of a part's pulse that are not as they should be: ``configuration/KIND``."""
    said = {"rules": rules, "plan": plan, "emergency": emergency, "codes": codes}
    return {f"configuration/{kind}": problem for kind, problem in said.items() if problem}
