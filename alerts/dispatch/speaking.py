"""How it is said: intents with their briefs and names, notes beside them, and digests during a flood."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from alerts.dispatch import notes
from alerts.dispatch.audiences import Audience
from alerts.dispatch.briefs import brief, worst_first
from alerts.dispatch.memory import RANK, Alert, ChannelTest, Flood, Incident
from alerts.dispatch.model import Intent, Purpose, TimelineNote
from alerts.dispatch.plan import Flood as FloodRule
from alerts.dispatch.shelf import Shelf
from alerts.inventory import Inventory
from alerts.memory import Microseconds
from alerts.model import Severity
from core.clock import from_microseconds
from core.durations import microseconds

_NEVER = 0


class Decision(Struct):
    """What the desk decided: messages to be sent, and words for the timelines."""

    intents: list[Intent] = []
    notes: list[TimelineNote] = []

    def add(self, other: "Decision") -> None:
        """Take what ``other`` decided after this."""
        self.intents += other.intents
        self.notes += other.notes

    def stamped(self, ahead: timedelta) -> "Decision":
        """Return it with instants by a clock that is ``ahead`` of the one it was decided by."""
        if not ahead:
            return self
        return Decision(
            [replace(intent, at=intent.at + ahead) for intent in self.intents],
            [replace(note, at=note.at + ahead) for note in self.notes],
        )


class Message(Struct, frozen=True):
    """What is said at one instant: in which line of messages, and of which alerts."""

    line: str
    version: int
    purpose: Purpose
    community: str
    step: int
    at: Microseconds
    shown: Sequence[Alert]
    count: int


class Speaker:
    """Writes what is said into ``said``. ``hanging`` gives the alerts that one stands for, by its id."""

    def __init__(self, shelf: Shelf, hanging: Callable[[str], Mapping[str, Alert]]) -> None:
        self._shelf = shelf
        self._hanging = hanging
        self.inventory = Inventory()
        self.flood_rule: FloodRule | None = None
        self.said = Decision()

    def say(
        self, incident: Incident, purpose: Purpose, audience: Audience, now: Microseconds, fresh: Sequence[Alert]
    ) -> None:
        """Tell ``audience`` of ``incident``, or put it into the next digest; ``fresh`` are what it is said for."""
        memory = incident.memory
        listed = [alert for alert in incident.alerts.values() if alert.mentioned]
        if not listed or not audience:
            return
        memory.version += 1
        memory.said_at = now
        memory.urgent = memory.urgent or any(alert.urgent for alert in listed)
        memory.told |= audience
        self._mark_told(listed)
        shown = worst_first(listed)
        noted = list({each.memory.id: each for each in (*fresh, *shown)}.values())
        if self._diverted(incident, purpose, noted, now):
            self._keep_for_digest(incident, audience, noted, now)
            return
        step = max(memory.step - 1, 0)
        self._write(
            Message(memory.id, memory.version, purpose, memory.community, step, now, shown, len(listed)), audience
        )
        told = (notes.told(each.memory.id, purpose, audience, memory.id, step, now) for each in noted)
        self.said.notes += told

    def _mark_told(self, listed: Sequence[Alert]) -> None:
        for alert in listed:
            if not alert.memory.told:
                alert.memory.told = True
                self._shelf.touch(alert)

    def _write(self, message: Message, audience: Audience) -> None:
        briefs = tuple(brief(each, self.inventory, self._hanging(each.memory.id)) for each in message.shown)
        severity = min((each.severity for each in briefs), key=RANK.__getitem__, default=Severity.INFO)
        for receiver, person in audience.items():
            self.said.intents.append(
                Intent(
                    id=intent_id(message.line, message.version, receiver),
                    incident=message.line,
                    version=message.version,
                    receiver=receiver,
                    purpose=message.purpose,
                    severity=severity,
                    at=from_microseconds(message.at),
                    step=message.step,
                    community=message.community,
                    alerts=briefs,
                    count=message.count,
                    person=person or None,
                )
            )

    def test(self, test: ChannelTest, receivers: Sequence[str], now: Microseconds) -> None:
        """Tell all of a person's ``receivers`` that they work."""
        test.memory.version += 1
        message = Message(f"test-{test.person}", test.memory.version, Purpose.TEST, "", 0, now, (), 0)
        self._write(message, dict.fromkeys(receivers, test.person))

    def _diverted(self, incident: Incident, purpose: Purpose, noted: Sequence[Alert], now: Microseconds) -> bool:
        """Tell whether this goes into a digest; counts it, and notes where a flood begins."""
        rule, memory = self.flood_rule, incident.memory
        if rule is None or memory.urgent:
            return False
        flood = self._shelf.flood(memory.community)
        if purpose is not Purpose.RESOLVED:
            recent = flood.memory.recent
            recent.pop(memory.id, None)
            recent[memory.id] = now
            _forget_old(flood, rule, now)
            if len(recent) > rule.over and not flood.memory.digest_at:
                flood.memory.digest_at = now + microseconds(rule.digest_every)
                flood.memory.alert = noted[0].memory.id
                self.said.notes.append(notes.flood_began(flood.memory.alert, rule.over, now))
            self._shelf.touch(flood)
        return bool(flood.memory.digest_at)

    def _keep_for_digest(
        self, incident: Incident, audience: Audience, noted: Sequence[Alert], now: Microseconds
    ) -> None:
        incident.memory.digest |= audience
        flood = self._shelf.flood(incident.memory.community)
        for receiver in audience:
            flood.waiting.setdefault(receiver, {})[incident.memory.id] = incident
        self.said.notes += (notes.flooded(alert.memory.id, now) for alert in noted)

    def digest(self, flood: Flood, now: Microseconds) -> list[Incident]:
        """Say together what was held back, and see whether the flood is over; return the incidents that were in it."""
        rule, memory = self.flood_rule, flood.memory
        waiting, flood.waiting = flood.waiting, {}
        memory.version += 1
        for receiver in sorted(waiting):
            self._say_digest(flood, receiver, waiting[receiver], now)
        if rule is not None:
            _forget_old(flood, rule, now)
        if rule is None or len(memory.recent) <= rule.over:
            memory.digest_at = _NEVER
            self.said.notes.append(notes.flood_ended(memory.alert, now))
        else:
            memory.digest_at = now + microseconds(rule.digest_every)
        self._shelf.touch(flood)
        incidents = {its_id: incident for waits in waiting.values() for its_id, incident in waits.items()}
        return [incidents[its_id] for its_id in sorted(incidents)]

    def _say_digest(self, flood: Flood, receiver: str, incidents: Mapping[str, Incident], now: Microseconds) -> None:
        alerts = {
            alert.memory.id: alert
            for its_id in sorted(incidents)
            for alert in incidents[its_id].alerts.values()
            if alert.mentioned
        }
        if not alerts:
            return
        line, version = f"digest-{flood.community}", flood.memory.version
        person = incidents[min(incidents)].memory.digest[receiver]
        shown = worst_first(alerts.values())
        self._write(
            Message(line, version, Purpose.DIGEST, flood.community, 0, now, shown, len(alerts)), {receiver: person}
        )
        self.said.notes += (
            notes.told(its_id, Purpose.DIGEST, {receiver: person}, line, 0, now) for its_id in sorted(alerts)
        )


def intent_id(incident: str, version: int, receiver: str) -> str:
    """Return the intent's name, the same however often it is decided."""
    return hashlib.blake2b(f"{incident}|{version}|{receiver}".encode(), digest_size=12).hexdigest()


def _forget_old(flood: Flood, rule: FloodRule, now: Microseconds) -> None:
    recent, oldest = flood.memory.recent, now - microseconds(rule.within)
    while recent and (len(recent) > rule.over + 1 or next(iter(recent.values())) <= oldest):
        del recent[next(iter(recent))]
