"""The plan of who is told, read again whenever its file changes; a broken one changes nothing."""

import asyncio
from pathlib import Path

import structlog

from alerts.dispatch.defaults import default_plan
from alerts.dispatch.plan import Plan
from alerts.dispatch.plan_loading import load_plan
from alerts.notify.book import Channel
from app.channels import Channels
from app.files import fingerprint, read_text
from core.errors import PermanentError

_log = structlog.get_logger()
PROBLEM = "plan: "
"""How what a part says of itself begins where the newest plan is not in force."""


class PlanSource:
    """The plan in ``path``, or the built-in one without; with ``channels``, also those of its receivers.

    Both change together or not at all. ``problem`` says why the newest version of the file is not in force, empty when
    it is. Without ``channels`` (for a part that tells nobody) no secret is asked for.
    """

    def __init__(self, path: Path | None, channels: Channels | None = None) -> None:
        self._path = path
        self._channels = channels
        self._seen: object = None
        self.plan: Plan
        self.receivers: dict[str, Channel] = {}
        self.problem = ""

    @property
    def name(self) -> str:
        """Where the plan comes from: ``built-in``, or the name of its file."""
        return "built-in" if self._path is None else str(self._path)

    async def load(self) -> Plan:
        """Return the plan at a start; raises `RuleError` (file, line, what was expected) or `StartupError`."""
        self._seen = await self._print()
        self.plan, self.receivers = await asyncio.to_thread(self._read)
        return self.plan

    async def changed(self) -> Plan | None:
        """Return the plan when it is another one than before, else ``None``; cheap, to be asked every second."""
        seen = await self._print()
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            plan, receivers = await asyncio.to_thread(self._read)
        except PermanentError as error:
            self.problem = str(error)
            _log.warning("plan.refused", reason=self.problem)
            return None
        self.problem = ""
        if plan == self.plan:
            return None
        self.plan, self.receivers = plan, receivers
        _log.info("plan.reloaded", receivers=len(plan.receivers), routes=len(plan.routes))
        return plan

    def _read(self) -> tuple[Plan, dict[str, Channel]]:
        plan = read_plan(self._path)
        return plan, self._channels.of(plan) if self._channels is not None else {}

    async def _print(self) -> object:
        return None if self._path is None else await asyncio.to_thread(fingerprint, self._path)


def read_plan(path: Path | None) -> Plan:
    """Return the plan in ``path``, or the built-in one; raises `RuleError` or `StartupError`."""
    return default_plan() if path is None else load_plan(plan_text(path), str(path))


def plan_text(path: Path) -> str:
    """Return what stands in ``path``; raises `RuleError`."""
    return read_text(path, "a notification plan")
