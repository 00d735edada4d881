"""The plan of who is told, read again whenever its file changes; a broken one changes nothing."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import structlog

from alerts.dispatch.defaults import default_plan
from alerts.dispatch.plan import Plan
from alerts.dispatch.plan_loading import load_plan
from alerts.notify.book import Channel
from app.channels import Channels
from app.files import UnreadableFile, fingerprint, parsed, read_text
from app.last_good import LastGood, fall_back
from core.errors import PermanentError

_log = structlog.get_logger()
PROBLEM = "plan: "
"""How what a part says of itself begins where the newest plan is not in force."""


class _Taken(NamedTuple):
    """A plan with the channels of its receivers, and the texts it was read from, by file."""

    plan: Plan
    receivers: dict[str, Channel]
    texts: Mapping[str, str]


class PlanSource:
    """The plan in ``path``, or the built-in one without; with ``channels``, also those of its receivers.

    Both change together or not at all. ``problem`` says why the newest version of the file is not in force, empty when
    it is. Without ``channels`` (for a part that tells nobody) no secret is asked for. ``last_good`` is what a start
    with a broken file goes on with.
    """

    def __init__(self, path: Path | None, channels: Channels | None = None, last_good: LastGood | None = None) -> None:
        self._path = path
        self._channels = channels
        self._last_good = last_good
        self._seen: object = None
        self.plan: Plan
        self.receivers: dict[str, Channel] = {}
        self.problem = ""
        self._instead = ""
        """What is in force since a start with a broken file, as `problem` says it."""

    @property
    def name(self) -> str:
        """Where the plan comes from: ``built-in``, or the name of its file."""
        return "built-in" if self._path is None else str(self._path)

    async def load(self) -> Plan:
        """Return the plan at a start; where the file is broken the one that was good last, which ``problem`` says.

        Raises `RuleError` (file, line, what was expected) or `StartupError` (a secret that is missing) while there
        never was a good one, and `TemporaryError`.
        """
        self._seen = await self._print()
        try:
            taken = await asyncio.to_thread(self._read)
            self._took(taken)
        except PermanentError as error:
            taken = await self._fall_back(error)
        self.plan, self.receivers = taken.plan, taken.receivers
        await self._keep()
        return self.plan

    async def changed(self) -> Plan | None:
        """Return the plan when it is another one than before, else ``None``; cheap, to be asked every second."""
        taken = await self._changed()
        await self._keep()
        return taken

    async def _changed(self) -> Plan | None:
        seen = await self._print()
        if seen == self._seen:
            return None
        try:
            taken = await asyncio.to_thread(self._read)
        except PermanentError as error:
            # A file that cannot be read now may be later, without any change of it.
            self._seen = None if isinstance(error, UnreadableFile) else seen
            self._refuse(error)
            return None
        self._seen = seen
        self._took(taken)
        self.problem = self._instead = ""
        if taken.plan == self.plan:
            return None
        self.plan, self.receivers = taken.plan, taken.receivers
        _log.info("plan.reloaded", receivers=len(self.plan.receivers), routes=len(self.plan.routes))
        return self.plan

    async def _fall_back(self, broken: PermanentError) -> _Taken:
        """Return the plan that was good last, the built-in one where that cannot be used any more.

        Raises ``broken`` where there never was one.
        """
        if isinstance(broken, UnreadableFile):
            self._seen = None
        taken, self._instead = await fall_back(
            self._last_good, broken, self._made, lambda: self._with_channels(default_plan(), {})
        )
        self._refuse(broken)
        return taken

    def _refuse(self, error: PermanentError) -> None:
        problem = f"{error}{self._instead}"
        if problem != self.problem:
            _log.warning("plan.refused", reason=problem)
        self.problem = problem

    def _read(self) -> _Taken:
        if self._path is None:
            return self._with_channels(default_plan(), {})
        return self._made({str(self._path): plan_text(self._path)})

    def _made(self, texts: Mapping[str, str]) -> _Taken:
        [(name, text)] = texts.items()
        return self._with_channels(parsed(load_plan, text, name), texts)

    def _with_channels(self, plan: Plan, texts: Mapping[str, str]) -> _Taken:
        return _Taken(plan, self._channels.of(plan) if self._channels is not None else {}, texts)

    def _took(self, taken: _Taken) -> None:
        if self._last_good is not None:
            self._last_good.took(taken.texts)

    async def _keep(self) -> None:
        if self._last_good is not None:
            await self._last_good.keep()

    async def _print(self) -> object:
        return None if self._path is None else await asyncio.to_thread(fingerprint, self._path)


def read_plan(path: Path | None) -> Plan:
    """Return the plan in ``path``, or the built-in one; raises `RuleError`."""
    return default_plan() if path is None else load_plan(plan_text(path), str(path))


def plan_text(path: Path) -> str:
    """Return what stands in ``path``; raises `RuleError`."""
    return read_text(path, "a notification plan")
