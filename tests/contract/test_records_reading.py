"""Reading the records: devices, filters one by one, pages, fault episodes, tokens. On SQLite and PostgreSQL."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from alerts.history import AlertFilter, FaultFilter
from alerts.model import FaultCleared, FaultRaised, Severity
from core.devices import DeviceKey, DeviceKind
from core.errors import PermanentError
from storage.records import AlertRecordsAdapter, RecordsAdapter, TokensAdapter
from tests.contract.records_cases import (
    GATE,
    LIFT,
    OTHER_LIFT,
    START,
    after,
    cleared,
    commit,
    fired,
    raised,
    resolved,
    seen,
)


async def test_a_device_as_last_seen(engine_records: AlertRecordsAdapter, api_records: RecordsAdapter) -> None:
    await engine_records.commit(commit(1, transitions=fired("a1"), sightings=[seen(LIFT, START)]))
    await engine_records.commit(commit(2, sightings=[seen(LIFT, after(5), online=False)]))
    device = await api_records.device(LIFT)
    assert device is not None
    assert (device.device, device.first_heard_at, device.last_heard_at) == (LIFT, START, after(5))
    assert (device.online, device.skew_seconds, device.open_alerts) == (False, -1.5, 1)
    assert device.latest == {"car": {"floor": {"value": "B1", "at": "now"}}}
    assert await api_records.device(GATE) is None


async def test_a_forgotten_device_is_gone_and_one_heard_anew_is_known_since_then(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, sightings=[seen(LIFT), seen(GATE), seen(OTHER_LIFT)]))
    never = DeviceKey("a", DeviceKind.GATE, "never-heard")
    await engine_records.commit(commit(2, sightings=[seen(GATE, after(5))], forgotten=[LIFT, GATE, never]))
    found = await api_records.devices(None, None, None, 10)
    heard = {row.device: row.first_heard_at for row in found}
    assert heard == {GATE: after(5), OTHER_LIFT: START}


async def test_nothing_known_of_presence_is_none(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, sightings=[seen(LIFT, online=None), seen(GATE, online=True)]))
    found = await api_records.devices(None, None, None, 10)
    assert [(row.device, row.online) for row in found] == [(LIFT, None), (GATE, True)]
    await engine_records.commit(commit(2, sightings=[seen(LIFT, online=None)]))
    assert [row.online for row in await api_records.devices(None, None, None, 10)] == [None, True]


async def test_devices_come_in_pages_in_byte_order_of_their_paths(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    keys = [DeviceKey(community, DeviceKind.GATE, "g") for community in ("a", "a-b", "a1", "b")]
    await engine_records.commit(commit(1, sightings=[seen(key) for key in keys]))
    pages: list[str] = []
    after_path: str | None = None
    while page := await api_records.devices(None, None, after_path, 3):
        pages += [row.device.path for row in page]
        after_path = pages[-1]
    assert pages == ["a-b/gate/g", "a/gate/g", "a1/gate/g", "b/gate/g"]


async def test_devices_of_a_community_and_a_kind(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    await engine_records.commit(commit(1, sightings=[seen(key) for key in (OTHER_LIFT, GATE, LIFT)]))
    await engine_records.commit(
        commit(2, transitions=[*fired("a1"), *fired("a2", rule="door"), *fired("b", device=GATE)])
    )
    await engine_records.commit(commit(3, transitions=[resolved("a2", after(1), rule="door")]))

    async def found(community: str | None, kind: str | None) -> list[tuple[DeviceKey, int]]:
        return [(row.device, row.open_alerts) for row in await api_records.devices(community, kind, None, 10)]

    assert await found("garden", None) == [(LIFT, 1), (GATE, 1)]
    assert await found(None, "elevator") == [(LIFT, 1), (OTHER_LIFT, 0)]
    assert await found("garden", "gate") == [(GATE, 1)]
    assert await found("nowhere", None) == []


ALERT_FILTERS = [
    ("nothing", AlertFilter(), [4, 3, 2, 1]),
    ("firing", AlertFilter(state="firing"), [4, 3, 2]),
    ("resolved", AlertFilter(state="resolved"), [1]),
    ("severity", AlertFilter(severity="minor"), [3]),
    ("acknowledged", AlertFilter(acknowledged=True), [2]),
    ("not acknowledged", AlertFilter(acknowledged=False), [4, 3, 1]),
    ("rule", AlertFilter(rule="door"), [4, 3]),
    ("community", AlertFilter(community="lakeside"), [2]),
    ("kind", AlertFilter(kind="gate"), [3]),
    ("device", AlertFilter(device="lift-1"), [4, 2, 1]),
    ("since counts itself", AlertFilter(since=after(20)), [4, 3, 2]),
    ("until does not", AlertFilter(until=after(20)), [1]),
    ("all of them", AlertFilter(state="firing", community="garden", device="lift-1", until=after(41)), [4]),
]


@pytest.mark.parametrize("before", [None, 3])
async def test_alert_filters(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter, before: int | None
) -> None:
    await engine_records.commit(commit(1, transitions=[*fired("a", after(10)), resolved("a", after(11))]))
    await engine_records.commit(commit(2, transitions=fired("b", after(20), device=OTHER_LIFT)))
    gate = fired("c", after(30), device=GATE, rule="door", severity=Severity.MINOR)
    await engine_records.commit(commit(3, transitions=[*gate, *fired("d", after(40), rule="door")]))
    await api_records.acknowledge("b", "li", None, after(50))
    expected, found = {}, {}
    for name, matching, numbers in ALERT_FILTERS:
        expected[name] = [number for number in numbers if before is None or number < before][:2]
        found[name] = [alert.number for alert in await api_records.alerts(matching, before, 2)]
    assert found == expected


FAULT_FILTERS = [
    ("nothing", FaultFilter(), [4, 3, 2, 1]),
    ("community", FaultFilter(community="lakeside"), [3]),
    ("kind of device", FaultFilter(device_kind="gate"), [4]),
    ("device", FaultFilter(device="lift-1"), [3, 2, 1]),
    ("kind of fault", FaultFilter(kind="position_lost"), [2]),
    ("source", FaultFilter(source="other"), []),
    ("code", FaultFilter(code="2"), [4, 3, 1]),
    ("open", FaultFilter(open=True), [4, 3, 2]),
    ("ended", FaultFilter(open=False), [1]),
    ("since counts itself", FaultFilter(since=after(30)), [4, 3]),
    ("until does not", FaultFilter(until=after(30)), [2, 1]),
    ("all of them", FaultFilter(community="garden", device="lift-1", open=True, since=after(20)), [2]),
]


@pytest.mark.parametrize("before", [None, 3])
async def test_fault_filters(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter, before: int | None
) -> None:
    episodes: list[FaultRaised | FaultCleared] = [
        raised(after(10)),
        cleared(after(11)),
        raised(after(20), code="7"),
        raised(after(30), device=OTHER_LIFT),
        raised(after(40), device=GATE),
    ]
    await engine_records.commit(commit(1, faults=episodes))
    expected, found = {}, {}
    for name, matching, numbers in FAULT_FILTERS:
        expected[name] = [number for number in numbers if before is None or number < before][:2]
        found[name] = [fault.number for fault in await api_records.faults(matching, before, 2)]
    assert found == expected


EPISODES: list[tuple[str, list[FaultRaised | FaultCleared], list[tuple[datetime, datetime | None]]]] = [
    ("raised", [raised(START)], [(START, None)]),
    ("raised and cleared", [raised(START), cleared(after(5))], [(START, after(5))]),
    ("raised twice", [raised(START), raised(START), cleared(after(5))], [(START, after(5))]),
    ("raised again after its end", [raised(START), cleared(after(5)), raised(START)], [(START, after(5))]),
    ("cleared at the same instant", [raised(START), cleared(START)], [(START, START)]),
    ("cleared before it began", [raised(after(5)), cleared(START)], [(after(5), None)]),
    ("cleared, never raised", [cleared(START)], []),
    ("cleared twice", [raised(START), cleared(after(5)), cleared(after(9))], [(START, after(5))]),
    (
        "the newest open one ends",
        [raised(START), raised(after(10)), raised(after(20)), cleared(after(15))],
        [(after(20), None), (after(10), after(15)), (START, None)],
    ),
    (
        "all of the list end",
        [
            raised(START),
            raised(after(10)),
            raised(after(11), code="7"),
            raised(after(20)),
            cleared(after(15), code=None),
        ],
        [(after(20), None), (after(11), after(15)), (after(10), after(15)), (START, after(15))],
    ),
    ("another list's end", [raised(START), replace(cleared(after(5), code=None), source="vendor")], [(START, None)]),
    ("another code ends", [raised(START), cleared(after(5), code="7")], [(START, None)]),
    ("another device's ends", [raised(START), cleared(after(5), device=OTHER_LIFT)], [(START, None)]),
]


@pytest.mark.parametrize("batched", [True, False], ids=["one commit", "a commit for each"])
async def test_fault_episodes(engine_records: AlertRecordsAdapter, api_records: RecordsAdapter, batched: bool) -> None:
    """Each history in a community of its own, in one commit or one commit for each step."""
    position = 0
    for community, (name, history, expected) in enumerate(EPISODES):
        steps = [_moved(episode, f"c{community}") for episode in history]
        for faults in [steps] if batched else [[step] for step in steps]:
            position += 1
            await engine_records.commit(commit(position, faults=faults))
        found = await api_records.faults(FaultFilter(community=f"c{community}", device="lift-1"), None, 10)
        assert [(fault.raised_at, fault.cleared_at) for fault in found] == expected, name


def _moved(episode: FaultRaised | FaultCleared, community: str) -> FaultRaised | FaultCleared:
    """The same episode in another community; what happened to another lift stays another lift's."""
    device = LIFT.device if episode.device == LIFT else "another"
    return replace(episode, device=DeviceKey(community, episode.device.kind, device))


async def test_a_late_fault_says_so(engine_records: AlertRecordsAdapter, api_records: RecordsAdapter) -> None:
    await engine_records.commit(commit(1, faults=[raised(after(60)), raised(START, late=True)]))
    found = await api_records.faults(FaultFilter(), None, 10)
    assert [(fault.number, fault.raised_at, fault.late) for fault in found] == [(2, START, True), (1, after(60), False)]
    assert (found[0].source, found[0].code, found[0].severity) == ("gbt24476-2017", "2", "major")


async def test_a_hostile_code_or_comment_stops_nobody(
    engine_records: AlertRecordsAdapter, api_records: RecordsAdapter
) -> None:
    """PostgreSQL's text holds no U+0000; JSON strings from devices and people may."""
    hostile = replace(raised(START), code="E\x00'; --", source="\x00")
    ending = FaultCleared(LIFT, hostile.source, hostile.code, after(5))
    await engine_records.commit(commit(1, transitions=fired("a1"), faults=[hostile, ending]))
    found = await api_records.faults(FaultFilter(code=hostile.code), None, 10)
    assert [(fault.source, fault.code, fault.cleared_at) for fault in found] == [("�", "E�'; --", after(5))]
    written = await api_records.comment("a1", "li", "so\x00so", after(6))
    assert written is not None
    assert written.reason_zh == "so�so"
    assert await api_records.device(DeviceKey("\x00", DeviceKind.GATE, "g")) is None
    assert await api_records.devices("\x00", None, "\x00", 10) == []
    assert await api_records.alert("\x00") is None


async def test_a_token_is_known_until_it_is_revoked(api_tokens: TokensAdapter) -> None:
    token = await api_tokens.add("li", START)
    other = await api_tokens.add("wang", START)
    assert token.startswith("anju_")
    assert len(token) == len("anju_") + 43
    assert (await api_tokens.identify(token), await api_tokens.identify(other)) == ("li", "wang")
    assert await api_tokens.identify(token[:-1]) is None
    assert await api_tokens.names() == ["li", "wang"]
    assert await api_tokens.revoke("li", after(5))
    assert not await api_tokens.revoke("li", after(6))
    assert (await api_tokens.identify(token), await api_tokens.names()) == (None, ["wang"])


async def test_a_name_is_given_once_at_a_time(api_tokens: TokensAdapter) -> None:
    first = await api_tokens.add("li", START)
    with pytest.raises(PermanentError, match="li"):
        await api_tokens.add("li", START)
    await api_tokens.revoke("li", after(5))
    second = await api_tokens.add("li", after(6))
    assert (await api_tokens.identify(first), await api_tokens.identify(second)) == (None, "li")
