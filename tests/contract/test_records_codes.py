"""Codes that no list knows, from the fault episodes. On SQLite and PostgreSQL."""

from msgspec.structs import replace

from alerts.history import UnknownCodeRow
from alerts.model import FaultCleared, FaultRaised
from storage.records import AlertRecordsAdapter, CodesAdapter, RecordsDatabase
from tests.contract.records_cases import LIFT, OTHER_LIFT, START, after, cleared, commit, raised

ODD = replace(raised(START), source="vendor", code="Err 02", kind="other")


async def test_unknown_codes_by_list_code_and_device(
    engine_records: AlertRecordsAdapter, records_database: RecordsDatabase
) -> None:
    codes = CodesAdapter(records_database)
    episodes: list[FaultRaised | FaultCleared] = [
        raised(START),
        ODD,
        replace(cleared(after(5), code="Err 02"), source="vendor"),
        replace(ODD, raised_at=after(9)),
        replace(ODD, device=OTHER_LIFT, raised_at=after(7)),
        replace(ODD, source="gbt24476-2017", code="99", raised_at=after(20)),
        replace(ODD, source="anju", code="other", raised_at=after(30)),  # a list says so: it is known
        replace(ODD, source="gbt24476-2017", code="44", raised_at=after(31)),  # kept before the list had it
    ]
    await engine_records.commit(commit(1, faults=episodes))
    expected = [
        UnknownCodeRow(LIFT, "gbt24476-2017", "99", 1, after(20), after(20)),
        UnknownCodeRow(LIFT, "vendor", "Err 02", 2, START, after(9)),
        UnknownCodeRow(OTHER_LIFT, "vendor", "Err 02", 1, after(7), after(7)),
    ]
    assert await codes.unknown_codes(None, 10) == expected
    assert await codes.unknown_codes(None, 1) == expected[:1]
    assert await codes.unknown_codes(LIFT.community, 10) == [
        row for row in expected if row.device.community == LIFT.community
    ]
    assert await codes.unknown_codes("elsewhere", 10) == []
