"""How whole rows of each table are decoded, to tell whether a row can be read, without the query that needed it."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Row, Table

from alerts.model import Severity
from storage.records import call_reading, desk_records, outbox_rows, registry, rows, suppressions
from storage.records.call_tables import call_events, calls
from storage.records.desk_tables import outbox
from storage.records.kept_tables import device_facts
from storage.records.kept_tables import suppressions as suppressions_table
from storage.records.statements import device_key
from storage.records.tables import alerts, devices, faults, transitions
from storage.records.unreadable import UNDECODABLE, reason_of, require_sound


def _step(row: Row[Any]) -> None:
    rows.transition_row(row)
    desk_records.facts_of(row)


def _device(row: Row[Any]) -> None:
    device_key(row.community, row.device_kind, row.device)
    msgspec.json.decode(row.latest, type=rows.LATEST)


def _message(row: Row[Any]) -> None:
    Severity(row.severity)
    outbox_rows.entry_of(row)


# The other tables hold nothing but columns: their types are all there is to check.
_DECODERS: Mapping[Table, Callable[[Row[Any]], object]] = {
    calls: call_reading.call_of,
    call_events: call_reading.event_of,
    alerts: rows.alert_row,
    transitions: _step,
    faults: rows.fault_row,
    devices: _device,
    outbox: _message,
    suppressions_table: suppressions.suppression_of,
    device_facts: registry.facts_of,
}


def unreadable_for(row: Row[Any], table: Table) -> str:
    """Return why a whole row of ``table`` cannot be decoded; empty where it can."""
    try:
        require_sound(row, table)
        if (decode := _DECODERS.get(table)) is not None:
            decode(row)
    except UNDECODABLE as error:
        return reason_of(error)
    return ""
