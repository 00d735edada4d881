"""The plan in force as the API shows it."""

import asyncio
from pathlib import Path

from alerts.dispatch.plan import Plan
from app import heartbeat
from app.plan_source import PROBLEM, PlanSource
from core.clock import Clock


class PlanView:
    """`api.ports.PlanInForce` over ``source``, and over what the desk says of the plan in its heartbeat in ``var``.

    Only the desk knows the secrets of receivers, so only it can refuse a plan for one that is missing.
    """

    def __init__(self, source: PlanSource, var: Path, clock: Clock) -> None:
        self._source = source
        self._var = var
        self._clock = clock

    @property
    def source(self) -> str:
        """Where the plan comes from: ``built-in``, or the name of its file."""
        return self._source.name

    def current(self) -> Plan:
        """Return the plan that was taken last."""
        return self._source.plan

    async def problem(self) -> str:
        """Return why what is newest was refused, empty where nothing was."""
        return self._source.problem or await asyncio.to_thread(self._of_desk)

    def _of_desk(self) -> str:
        said = heartbeat.read(self._var, "alerts", self._clock.steady())
        refused = said.status == "degraded" and said.detail.startswith(PROBLEM)
        return said.detail.removeprefix(PROBLEM) if refused else ""
