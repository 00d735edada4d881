"""Parameters that several routes share."""

from typing import Annotated

from fastapi import Depends, Path, Query

from alerts.history import AlertFilter, FaultFilter
from alerts.model import AlertState, Severity
from api.problems import InvalidRequest
from api.times import Instant
from core.devices import DeviceKey, DeviceKind
from core.faults import FaultKind
from core.wire.topics import WORD

WORD_PATTERN = f"^{WORD.pattern}$"
_NAME = r"^[^\x00-\x1f\x7f]{1,128}$"  # Rules, sources and codes: any text, but no NUL, which PostgreSQL refuses.
RULE = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
# Receivers, people and rotas, as the plan names them.
RECEIVER = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"

Community = Annotated[str | None, Query(pattern=WORD_PATTERN, description="Only this community.")]
Kind = Annotated[DeviceKind | None, Query(description="Only devices of this kind.")]
DeviceWord = Annotated[str | None, Query(pattern=WORD_PATTERN, description="Only devices with this name.")]
Since = Annotated[Instant | None, Query(description="From this instant on: RFC 3339 with an offset.")]
Until = Annotated[Instant | None, Query(description="Before this instant: RFC 3339 with an offset.")]
ALERT_ID = r"^[\w.:-]{1,128}$"
AlertId = Annotated[str, Path(pattern=ALERT_ID, description="The alert's `id`.")]
_OPEN = "Only what wants somebody (firing, latched, or over without having been acknowledged), or only the rest."


def _named_device(
    community: Annotated[str, Path(pattern=WORD_PATTERN)],
    kind: Annotated[DeviceKind, Path()],
    device: Annotated[str, Path(pattern=WORD_PATTERN)],
) -> DeviceKey:
    return DeviceKey(community, kind, device)


NamedDevice = Annotated[DeviceKey, Depends(_named_device)]
"""The device a path names."""


def _alert_filter(
    *,
    state: Annotated[AlertState | None, Query(description="Whether the condition holds.")] = None,
    open: Annotated[bool | None, Query(description=_OPEN)] = None,  # noqa: A002 - the word the field and the query use
    assigned_to: Annotated[str | None, Query(pattern=_NAME, description="Only those this person looks after.")] = None,
    false_alarm: Annotated[bool | None, Query(description="Only those marked as false, or not marked.")] = None,
    inhibited_by: Annotated[
        str | None, Query(pattern=ALERT_ID, description="Only those for which this alert stands.")
    ] = None,
    severity: Annotated[Severity | None, Query(description="Only this severity.")] = None,
    acknowledged: Annotated[bool | None, Query(description="Only those seen, or not seen, by a person.")] = None,
    rule: Annotated[str | None, Query(pattern=_NAME, description="Only alerts of this rule.")] = None,
    community: Community = None,
    kind: Kind = None,
    device: DeviceWord = None,
    since: Since = None,
    until: Until = None,
) -> AlertFilter:
    check_order(since, until)
    return AlertFilter(
        state=state and state.value,
        open=open,
        assigned_to=assigned_to,
        false_alarm=false_alarm,
        inhibited_by=inhibited_by,
        severity=severity and severity.value,
        acknowledged=acknowledged,
        rule=rule,
        community=community,
        kind=kind and kind.value,
        device=device,
        since=since,
        until=until,
    )


MatchingAlerts = Annotated[AlertFilter, Depends(_alert_filter)]

OneFaultKind = Annotated[FaultKind | None, Query(description="Only this normalised kind of fault.")]
Source = Annotated[str | None, Query(pattern=_NAME, description="Only codes of this list.")]
Code = Annotated[str | None, Query(pattern=_NAME, description="Only this code, as devices send it.")]
Open = Annotated[bool | None, Query(description="Only faults that last, or only those that ended.")]


def _fault_filter(
    *,
    community: Community = None,
    device_kind: Kind = None,
    device: DeviceWord = None,
    kind: OneFaultKind = None,
    source: Source = None,
    code: Code = None,
    open: Open = None,  # noqa: A002 - the word the field and the query use
    since: Since = None,
    until: Until = None,
) -> FaultFilter:
    check_order(since, until)
    return FaultFilter(
        community=community,
        device_kind=device_kind and device_kind.value,
        device=device,
        kind=kind and kind.value,
        source=source,
        code=code,
        open=open,
        since=since,
        until=until,
    )


MatchingFaults = Annotated[FaultFilter, Depends(_fault_filter)]


def _faults_of_device(
    named: NamedDevice,
    *,
    fault: Annotated[FaultKind | None, Query(description="Only this normalised kind of fault.")] = None,
    source: Source = None,
    code: Code = None,
    open: Open = None,  # noqa: A002 - as above
    since: Since = None,
    until: Until = None,
) -> FaultFilter:
    check_order(since, until)
    return FaultFilter(
        community=named.community,
        device_kind=named.kind.value,
        device=named.device,
        kind=fault and fault.value,
        source=source,
        code=code,
        open=open,
        since=since,
        until=until,
    )


FaultsOfDevice = Annotated[FaultFilter, Depends(_faults_of_device)]


def check_order(since: Instant | None, until: Instant | None) -> None:
    """Raise `InvalidRequest` unless ``since`` is before ``until``."""
    if since is not None and until is not None and since >= until:
        raise InvalidRequest("query.until", f"until {until.isoformat()} is not after since", "an instant after `since`")
