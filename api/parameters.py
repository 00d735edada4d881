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

_WORD = f"^{WORD.pattern}$"
_NAME = r"^[^\x00-\x1f\x7f]{1,128}$"  # Rules, sources and codes: any text, but no NUL, which PostgreSQL refuses.

Community = Annotated[str | None, Query(pattern=_WORD, description="Only this community.")]
Kind = Annotated[DeviceKind | None, Query(description="Only devices of this kind.")]
DeviceWord = Annotated[str | None, Query(pattern=_WORD, description="Only devices with this name.")]
Since = Annotated[Instant | None, Query(description="From this instant on: RFC 3339 with an offset.")]
Until = Annotated[Instant | None, Query(description="Before this instant: RFC 3339 with an offset.")]
AlertId = Annotated[str, Path(pattern=r"^[\w.:-]{1,128}$", description="The alert's `id`.")]


def _named_device(
    community: Annotated[str, Path(pattern=_WORD)],
    kind: Annotated[DeviceKind, Path()],
    device: Annotated[str, Path(pattern=_WORD)],
) -> DeviceKey:
    return DeviceKey(community, kind, device)


NamedDevice = Annotated[DeviceKey, Depends(_named_device)]
"""The device a path names."""


def _alert_filter(
    *,
    state: Annotated[AlertState | None, Query(description="Whether the condition holds.")] = None,
    severity: Annotated[Severity | None, Query(description="Only this severity.")] = None,
    acknowledged: Annotated[bool | None, Query(description="Only those seen, or not seen, by a person.")] = None,
    rule: Annotated[str | None, Query(pattern=_NAME, description="Only alerts of this rule.")] = None,
    community: Community = None,
    kind: Kind = None,
    device: DeviceWord = None,
    since: Since = None,
    until: Until = None,
) -> AlertFilter:
    _check_order(since, until)
    return AlertFilter(
        state=state and state.value,
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
    _check_order(since, until)
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
    _check_order(since, until)
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


def _check_order(since: Instant | None, until: Instant | None) -> None:
    if since is not None and until is not None and since >= until:
        raise InvalidRequest("query.until", f"until {until.isoformat()} is not after since", "an instant after `since`")
