"""Which alerts are true and which incidents are found.

An alert is raised when it fires, gets worse or is repeated. It is true if one of these instants lies within an incident
of its device that its rule may be about, from a little before its beginning to a while after its end. So an alert that
stands since yesterday has found nothing of today, although the two overlap: nobody was told anything new.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from alerts.scoring.duty import Notification
from alerts.scoring.replay import RaisedAlert
from alerts.scoring.report import Finding, Outcome
from alerts.scoring.truth import Known, KnownIncident, Truth

UNKNOWN_CAUSE = "unknown"


class Judged(Struct):
    """An alert with whether it is true; ``None`` for a notice, ``cause`` says of a false one what set it off."""

    alert: RaisedAlert
    true: bool | None
    cause: str = ""


class Judgement(Struct):
    """All alerts and all known incidents of a span."""

    alerts: list[Judged]
    outcomes: list[tuple[KnownIncident, Outcome]]
    by_rule: Mapping[str, Mapping[int, datetime]]
    """When a rule found an incident, by the incident's place in ``outcomes``."""


def judged(truth: Truth, alerts: Sequence[RaisedAlert], told: Iterable[Notification]) -> Judgement:
    """Compare ``alerts`` with ``truth``; ``told`` says when people were told of them."""
    known = Known(truth)
    matches = _Matches(known, alerts, _first_told(told))
    outcomes = [(incident, matches.outcome(incident)) for incident in truth.incidents]
    places = {id(incident): place for place, incident in enumerate(truth.incidents)}
    by_rule: dict[str, dict[int, datetime]] = defaultdict(dict)
    for its_id, found in matches.found.items():
        for rule, at in found.items():
            by_rule[rule][places[its_id]] = at
    return Judgement([_judged(known, alert, matches) for alert in alerts], outcomes, by_rule)


def _first_told(told: Iterable[Notification]) -> dict[str, datetime]:
    first: dict[str, datetime] = {}
    for one in told:
        for alert in one.alerts:
            first.setdefault(alert, one.at)
    return first


class _Matches:
    """Rises of alerts beside incidents; incidents are told apart by identity, since two may be equal."""

    def __init__(self, known: Known, alerts: Iterable[RaisedAlert], first_told: Mapping[str, datetime]) -> None:
        self._known = known
        self._first_told = first_told
        self.true: set[str] = set()
        self.found: dict[int, dict[str, datetime]] = {}
        """When each rule first found an incident."""
        self._mentioned: dict[int, Finding] = {}
        self._told: dict[int, datetime] = {}
        self._alerts: defaultdict[str, list[RaisedAlert]] = defaultdict(list)
        for alert in alerts:
            self._alerts[alert.device.path].append(alert)
            for rise in alert.rises:
                self._match(alert, rise.at, rise.part)

    def _match(self, alert: RaisedAlert, at: datetime, part: str) -> None:
        for incident in self._known.incidents(alert.device.path, part, at):
            if not self._known.about(alert.rule, incident):
                continue
            self.true.add(alert.id)
            mentioned = self._mentioned.get(id(incident))
            if mentioned is None or at < mentioned.at:
                self._mentioned[id(incident)] = Finding(alert.rule, at)
            if self._known.finds(alert.rule, incident):
                found = self.found.setdefault(id(incident), {})
                found[alert.rule] = min(at, found.get(alert.rule, at))
                if (told_at := self._first_told.get(alert.id)) is not None:
                    told_at = max(at, told_at)
                    self._told[id(incident)] = min(told_at, self._told.get(id(incident), told_at))

    def outcome(self, incident: KnownIncident) -> Outcome:
        """Return what came of ``incident``."""
        found = min(((at, rule) for rule, at in self.found.get(id(incident), {}).items()), default=None)
        return Outcome(
            kind=incident.kind,
            variant=incident.variant,
            device=incident.device,
            part=incident.part,
            began=incident.began,
            ended=incident.ended,
            sign=incident.sign,
            pressed=incident.pressed,
            found=None if found is None else Finding(found[1], found[0]),
            mentioned=self._mentioned.get(id(incident)),
            told_at=self._told.get(id(incident)),
            masked_by=() if found else tuple(sorted(self._standing_at(incident))),
        )

    def _standing_at(self, incident: KnownIncident) -> Iterator[str]:
        """Yield the rules that would have found ``incident``, had their alert not stood already."""
        for alert in self._alerts[incident.device]:
            before = alert.fired_at < incident.began - self._known.before
            stands = alert.resolved_at is None or alert.resolved_at > incident.began
            if before and stands and self._known.finds(alert.rule, incident):
                yield alert.rule


def _judged(known: Known, alert: RaisedAlert, matches: _Matches) -> Judged:
    if known.is_notice(alert.rule):
        return Judged(alert, None)
    if alert.id in matches.true:
        return Judged(alert, true=True)
    return Judged(alert, true=False, cause=_cause(known, alert))


def _cause(known: Known, alert: RaisedAlert) -> str:
    """Name what began last of the disturbances around it and the incidents that the rule is not about."""
    first = alert.rises[0]
    where = alert.device.path, first.part, first.at
    causes = [(one.began, one.cause) for one in known.disturbances(*where)]
    causes += [(one.began, f"during {one.kind}") for one in known.incidents(*where)]
    return max(causes, key=lambda one: one[0])[1] if causes else UNKNOWN_CAUSE
