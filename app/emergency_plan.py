"""The emergency plan, read again whenever its file changes; a broken one changes nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from alerts.dispatch.plan import Plan, targets_of
from app.files import fingerprint, read_text
from core.errors import PermanentError
from emergency.plan import EmergencyPlan
from emergency.plan_loading import check_plan, default_plan, load_plan

_log = structlog.get_logger()


class EmergencyPlanSource:
    """The plan in ``path``, or the built-in one without. ``notify`` gives the notification plan that its targets name.

    ``problem`` says what is in the way of the newest version of the file, or of somebody whom the plan in force wants
    told; empty when nothing is. The two plans may change in either order: both are looked at.
    """

    def __init__(self, path: Path | None, notify: Callable[[], Plan]) -> None:
        self._path = path
        self._notify = notify
        self._seen: object = None
        self.plan: EmergencyPlan
        self.problem = ""

    async def load(self) -> EmergencyPlan:
        """Return the plan at a start; raises `RuleError` (file, line, what was expected) or `StartupError`.

        Targets that the notification plan does not have are a ``problem`` and no reason not to start: whoever can be
        told must be told, whatever else is wrong.
        """
        self._seen = await self._prints()
        self.plan, unknown = await asyncio.to_thread(self._read)
        self._tell(unknown)
        return self.plan

    async def look(self) -> None:
        """Take over a plan that has changed; cheap, to be called every second. Never raises."""
        seen = await self._prints()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            plan, unknown = await asyncio.to_thread(self._read)
        except PermanentError as error:
            self._tell(str(error))
            return
        if plan != self.plan and not unknown:
            self.plan = plan
            _log.info("emergency_plan.reloaded", communities=len(plan.communities), contacts=len(plan.contacts))
        self._tell(unknown)

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning("emergency_plan.wrong", reason=problem)
        self.problem = problem

    def _read(self) -> tuple[EmergencyPlan, str]:
        """Return the plan of the file, and the first mistake about a target that nobody knows."""
        notify = self._notify()
        if self._path is None:
            return built_in(notify), ""
        text = emergency_text(self._path)
        plan = load_plan(text, str(self._path))
        _, mistakes = check_plan(text, str(self._path), targets_of(notify))
        return plan, str(mistakes[0]) if mistakes else ""

    async def _prints(self) -> object:
        file = None if self._path is None else await asyncio.to_thread(fingerprint, self._path)
        return file, targets_of(self._notify())


def read_emergency_plan(path: Path | None, notify: Plan) -> EmergencyPlan:
    """Return the plan in ``path``, or the built-in one; raises `RuleError` or `StartupError`, also for its targets."""
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
