"""The notice that the disk is full, sent past the records when nothing can be committed any more.

Every other notification is a row of the outbox before it leaves. When the disk is so full that the records take no
row, nobody would be told of just that. So the notification that the plan in force makes of the alert ``disk-full`` is
decided by a desk in memory, and delivered at once, once for each episode. It is logged, and in no record.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from alerts.dispatch.desk import Desk
from alerts.dispatch.model import Intent, Told
from alerts.dispatch.plan import Plan
from alerts.dispatch.system import SystemWatch
from alerts.model import Transition, TransitionKind
from alerts.notify.book import MessengerBook
from app.disk import DISK_FULL
from core.clock import Clock
from core.errors import AnjuError

LOOK_SECONDS = 1.0
# The commit is repeated all the while: so long a row may still find room, and then the usual way tells of it.
_BLOCKED_SECONDS = 10.0
_AGAIN_SECONDS = 30.0
_ATTEMPT_SECONDS = 30.0
# Longer than any route gathers alerts before it tells of them, shorter than the ladder's second step matters.
_GATHERED = timedelta(hours=1)
_log = structlog.get_logger()


class UnrecordedNotice:
    """Sends the notice once ``full`` (what is wrong, empty for nothing) and ``blocked`` have lasted for ten seconds."""

    def __init__(
        self,
        full: Callable[[], str],
        blocked: Callable[[], str],
        plan: Callable[[], Plan],
        book: MessengerBook,
        clock: Clock,
    ) -> None:
        self._full = full
        self._blocked = blocked
        self._plan = plan
        self._book = book
        self._clock = clock
        self._since: float | None = None
        self._again_at = 0.0
        self._sent = False

    async def run(self) -> None:
        """Look every second, for ever."""
        while True:
            await self.look(asyncio.get_running_loop().time())
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, seconds: float) -> None:
        """Look once; ``seconds`` are of a clock that does not jump."""
        if not self._full():
            self._since, self._sent = None, False
        elif not self._blocked():
            self._since = None
        else:
            self._since = seconds if self._since is None else self._since
            if not self._sent and seconds >= max(self._since + _BLOCKED_SECONDS, self._again_at):
                self._again_at = seconds + _AGAIN_SECONDS
                await self._send()

    async def _send(self) -> None:
        for intent in notices(self._plan(), self._full(), self._clock.now()):
            channel = self._book.find(intent.receiver)
            if channel is None:
                continue
            try:
                async with asyncio.timeout(_ATTEMPT_SECONDS):
                    answer = await channel.messenger.deliver(intent)
            except (AnjuError, TimeoutError) as error:
                _log.error("disk.notice_undelivered", receiver=intent.receiver, reason=str(error) or "no answer")
            else:
                self._sent = True
                _log.warning("disk.notice_delivered", receiver=intent.receiver, answer=answer, recorded=False)


def notices(plan: Plan, wrong: str, now: datetime) -> Sequence[Intent]:
    """Return what ``plan`` tells first of a full disk; pure."""
    watch, desk = SystemWatch(), Desk(plan)
    steps = watch.observe({DISK_FULL: wrong}, now)
    said = [intent for number, step in enumerate(steps, 1) for intent in desk.observe(_told(step, number)).intents]
    said += desk.advance(now + _GATHERED).intents
    return [intent for intent in said if intent.step == 0 and intent.version == 1]


def _told(step: Transition, number: int) -> Told:
    return Told(
        sequence=number,
        alert_id=step.alert_id,
        rule=step.rule,
        severity=step.severity,
        device=step.device,
        kind=TransitionKind(step.kind),
        at=step.at,
        recorded_at=step.at,
        actor=None,
        reason=step.reason,
        title_zh=step.title_zh,
        title_en=step.title_en,
        fired_at=step.at,
    )
