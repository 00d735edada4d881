"""The emergency plan, read again whenever its file changes; a broken one changes nothing."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from alerts.dispatch.plan import Plan, people_targets, targets_of
from app.files import UnreadableFile, fingerprint, parsed, read_text
from app.last_good import LastGood, fall_back
from core.errors import PermanentError
from emergency.ladder import unreached
from emergency.plan import EmergencyPlan
from emergency.plan_loading import check_plan, default_plan, load_plan

_log = structlog.get_logger()


class _Read(NamedTuple):
    """A plan, the first mistake about a target that nobody knows, and the texts it was read from, by file."""

    plan: EmergencyPlan
    unknown: str
    texts: Mapping[str, str]


class EmergencyPlanSource:
    """The plan in ``path``, or the built-in one without. ``notify`` gives the notification plan that its targets name.

    ``problem`` says what is in the way of the newest version of the file, or of somebody whom the plan in force wants
    told; empty when nothing is. The two plans may change in either order: both are looked at. ``last_good`` is what a
    start with a broken file goes on with.
    """

    def __init__(self, path: Path | None, notify: Callable[[], Plan], last_good: LastGood | None = None) -> None:
        self._path = path
        self._notify = notify
        self._last_good = last_good
        self._seen: object = None
        self.plan: EmergencyPlan
        self.problem = ""
        self._instead = ""
        """What is in force since a start with a broken file, as `problem` says it."""

    async def load(self) -> EmergencyPlan:
        """Return the plan at a start; where the file is broken the one that was good last, which ``problem`` says.

        Raises `RuleError` (file, line, what was expected) while there never was a good one, and `TemporaryError`.
        Targets that the notification plan does not have are a ``problem`` and no reason not to start: whoever can be
        told must be told, whatever else is wrong.
        """
        self._seen = await self._prints()
        try:
            read = await asyncio.to_thread(self._read)
        except PermanentError as error:
            self.plan = await self._fall_back(error)
            return self.plan
        self.plan = read.plan
        self._took(read)
        self._tell_unreached()
        await self._keep()
        return self.plan

    async def look(self) -> None:
        """Take over a plan that has changed; cheap, to be called every second. Never raises."""
        await self._look()
        await self._keep()

    async def _look(self) -> None:
        seen = await self._prints()
        if seen == self._seen:
            return
        try:
            read = await asyncio.to_thread(self._read)
        except PermanentError as error:
            # A file that cannot be read now may be later, without any change of it.
            self._seen = None if isinstance(error, UnreadableFile) else seen
            self._tell(f"{error}{self._instead}")
            return
        self._seen = seen
        if not read.unknown:
            self._instead = ""
        if read.plan != self.plan and not read.unknown:
            self.plan = read.plan
            _log.info(
                "emergency_plan.reloaded", communities=len(read.plan.communities), contacts=len(read.plan.contacts)
            )
            self._tell_unreached()
        self._took(read)

    def unreached(self) -> list[str]:
        """Return the steps of the plan in force that reach no person, in words."""
        return [str(each) for each in unreached(self.plan, people_targets(self._notify()))]

    def _tell_unreached(self) -> None:
        if steps := self.unreached():
            _log.warning("emergency_plan.unreached", steps=steps)

    async def _fall_back(self, broken: PermanentError) -> EmergencyPlan:
        """Return the plan that was good last, the built-in one where that is understood no more.

        Raises ``broken`` where there never was one.
        """
        if isinstance(broken, UnreadableFile):
            self._seen = None
        plan, self._instead = await fall_back(
            self._last_good, broken, lambda texts: self._checked(texts).plan, lambda: built_in(self._notify())
        )
        self._tell(f"{broken}{self._instead}")
        return plan

    def _took(self, read: _Read) -> None:
        """Tell what is unknown; what is not wholly right is nothing to go back to."""
        self._tell(read.unknown)
        if self._last_good is not None and not read.unknown:
            self._last_good.took(read.texts)

    async def _keep(self) -> None:
        if self._last_good is not None:
            await self._last_good.keep()

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning("emergency_plan.wrong", reason=problem)
        self.problem = problem

    def _read(self) -> _Read:
        if self._path is None:
            return _Read(built_in(self._notify()), "", {})
        return self._checked({str(self._path): emergency_text(self._path)})

    def _checked(self, texts: Mapping[str, str]) -> _Read:
        [(name, text)] = texts.items()
        plan = parsed(load_plan, text, name)
        _, mistakes = check_plan(text, name, targets_of(self._notify()))
        return _Read(plan, str(mistakes[0]) if mistakes else "", texts)

    async def _prints(self) -> object:
        file = None if self._path is None else await asyncio.to_thread(fingerprint, self._path)
        return file, targets_of(self._notify())


def read_emergency_plan(path: Path | None, notify: Plan) -> EmergencyPlan:
    """Return the plan in ``path``, or the built-in one; raises `RuleError`, also for its targets."""
    return built_in(notify) if path is None else load_plan(emergency_text(path), str(path), targets_of(notify))


def built_in(notify: Plan) -> EmergencyPlan:
    """Return the built-in plan; its duty room is whoever the notification plan tells first of what no route names."""
    last = next(each for each in notify.policies if each.name == notify.routes[-1].policy)
    plan, first = default_plan(), list(last.steps[0].notify)
    contacts = [msgspec.structs.replace(each, tell=first) if each.tell else each for each in plan.contacts]
    return msgspec.structs.replace(plan, contacts=contacts)


def emergency_text(path: Path) -> str:
    """Return what stands in ``path``; raises `RuleError`."""
    return read_text(path, "an emergency plan")
