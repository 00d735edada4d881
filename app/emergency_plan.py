"""The emergency plan, read again whenever its file changes; a broken one changes nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from alerts.dispatch.plan import Plan, targets_of
from app.files import fingerprint
from core.errors import PermanentError, StartupError
from emergency.plan import EmergencyPlan
from emergency.plan_loading import default_plan, load_plan

_log = structlog.get_logger()


class EmergencyPlanSource:
    """The plan in ``path``, or the built-in one without. ``notify`` gives the notification plan that its targets name.

    ``problem`` says why the newest version of the file is not in force, empty when it is.
    """

    def __init__(self, path: Path | None, notify: Callable[[], Plan]) -> None:
        self._path = path
        self._notify = notify
        self._seen: object = None
        self.plan: EmergencyPlan
        self.problem = ""

    async def load(self) -> EmergencyPlan:
        """Return the plan at a start; raises `RuleError` (file, line, what was expected) or `StartupError`."""
        self._seen = await self._print()
        self.plan = await asyncio.to_thread(self._read)
        return self.plan

    async def look(self) -> None:
        """Take over a plan that has changed; cheap, to be called every second. Never raises."""
        seen = await self._print()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.plan = await asyncio.to_thread(self._read)
        except PermanentError as error:
            self.problem = str(error)
            _log.warning("emergency_plan.refused", reason=self.problem)
            return
        self.problem = ""
        _log.info("emergency_plan.reloaded", communities=len(self.plan.communities), contacts=len(self.plan.contacts))

    def _read(self) -> EmergencyPlan:
        return read_emergency_plan(self._path, self._notify())

    async def _print(self) -> object:
        return None if self._path is None else await asyncio.to_thread(fingerprint, self._path)


def read_emergency_plan(path: Path | None, notify: Plan) -> EmergencyPlan:
    """Return the plan in ``path``, or the built-in one; raises `RuleError` or `StartupError`.

    The built-in one names the wall of the built-in notification plan: in another plan without a wall nobody is told by
    it, so whoever writes one of the two writes the other one as well, or names a receiver ``wall``.
    """
    if path is None:
        return default_plan()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StartupError(f"emergency plan {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise StartupError(f"emergency plan {path}: not UTF-8 at byte {error.start}") from None
    return load_plan(text, str(path), targets_of(notify))
