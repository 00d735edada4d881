"""Properties: whatever the batches, ticks and restarts, the same is said, each once, and not after it is taken."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from alerts.dispatch.model import Intent, Purpose, SuppressionKind, TimelineNote
from alerts.inventory import DeviceFacts
from alerts.matchers import Matcher, Operator
from alerts.model import Severity, TransitionKind
from core.devices import DeviceKey
from tests.unit.alerts.dispatch.scene import PLAN, Scene, gateway, lift, plan, silence

FACTS = {lift(number): DeviceFacts(gateway="gw-1", building=str(number % 2)) for number in range(6)}
PLANS = [
    plan(PLAN),
    plan(
        PLAN.replace("flood: null", "flood: {over: 2, within: 10m, digest_every: 5m}").replace("[building]", "[device]")
    ),
]
SILENCES = (
    silence(100, 900, Matcher("rule", "door"), name="1"),
    silence(300, 500, Matcher("severity", "major,critical", Operator.IN), kind=SuppressionKind.MAINTENANCE, name="2"),
    silence(0, 2_000, Matcher("device", "lift-3"), kind=SuppressionKind.SHELVED, name="3"),
)
ACTS = [
    TransitionKind.RESOLVED,
    TransitionKind.ACKNOWLEDGED,
    TransitionKind.COMMENTED,
    TransitionKind.RESET,
    TransitionKind.SEVERITY_CHANGED,
]


class Move(Struct, frozen=True):
    """What happens ``after`` seconds: an alert fires (with ``flags``), or something happens to the one at ``which``."""

    after: float
    kind: TransitionKind
    device: DeviceKey
    rule: str
    severity: Severity
    flags: tuple[str, ...]
    which: int


MOVES = st.lists(
    st.builds(
        Move,
        after=st.sampled_from([0, 0.001, 1, 10, 29, 30, 120, 300, 900, 4_000]),
        kind=st.sampled_from([TransitionKind.FIRING] * 4 + ACTS),
        device=st.sampled_from([*FACTS, gateway()]),
        rule=st.sampled_from(["door", "fire", "elevator-offline", "gateway-offline"]),
        severity=st.sampled_from(list(Severity)),
        flags=st.sampled_from([(), (), (), ("protected",), ("maintenance",), ("latching", "protected")]),
        which=st.integers(min_value=0, max_value=20),
    ),
    max_size=25,
)
# Before which moves the desk is started anew, and how long before them it is asked what is due.
INTERRUPTIONS = st.lists(st.tuples(st.booleans(), st.sampled_from([None, 0.0, 0.5, 5.0])), min_size=25, max_size=25)


def played(moves: Sequence[Move], which_plan: int, interruptions: Sequence[tuple[bool, float | None]] | None) -> Scene:
    scene = Scene(PLANS[which_plan], FACTS)
    scene.suppress(*SILENCES)
    seconds = 0.0
    fired: list[str] = []
    for number, move in enumerate(moves):
        restart, earlier = interruptions[number] if interruptions is not None else (False, None)
        if restart:
            scene.restart()
        if earlier is not None:
            scene.pass_until(max(seconds, seconds + move.after - earlier))
        seconds += move.after
        if move.kind is TransitionKind.FIRING:
            fired.append(f"a{number}")
            flags = dict.fromkeys(move.flags, True)
            scene.fire(seconds, fired[-1], device=move.device, rule=move.rule, severity=move.severity, **flags)
        elif fired:
            scene.act(seconds, move.kind, fired[move.which % len(fired)], severity=move.severity)
    scene.pass_until(seconds + 20_000)
    return scene


@settings(max_examples=80, deadline=None)
@given(moves=MOVES, which_plan=st.integers(0, 1), interruptions=INTERRUPTIONS)
def test_batches_ticks_and_restarts_change_nothing(
    moves: list[Move], which_plan: int, interruptions: list[tuple[bool, float | None]]
) -> None:
    whole = played(moves, which_plan, None)
    broken = played(moves, which_plan, interruptions)
    assert broken.said.intents == whole.said.intents
    assert _spoken(broken.said.notes) == _spoken(whole.said.notes)
    assert broken.remembered == whole.remembered


@settings(max_examples=80, deadline=None)
@given(moves=MOVES, which_plan=st.integers(0, 1))
def test_each_intent_is_made_once_and_versions_rise_for_each_receiver(moves: list[Move], which_plan: int) -> None:
    intents = played(moves, which_plan, None).said.intents
    names = [one.id for one in intents]
    assert len(set(names)) == len(names)
    newest: dict[tuple[str, str], int] = {}
    for one in intents:
        line = one.receiver, one.incident
        assert one.version > newest.get(line, 0)
        newest[line] = one.version
    ends = [(one.incident, one.receiver) for one in intents if one.purpose is Purpose.RESOLVED]
    assert len(set(ends)) == len(ends)


@settings(max_examples=80, deadline=None)
@given(moves=MOVES, which_plan=st.integers(0, 1))
def test_a_protected_alert_is_told_within_a_second_whatever_else_happens(moves: list[Move], which_plan: int) -> None:
    scene = played(moves, which_plan, None)
    assert not [note for note in scene.said.notes if note.kind is TransitionKind.SUPPRESSED and _protected(scene, note)]
    for told in scene.fired:
        if told.protected:
            first = next(one for one in scene.said.intents if told.alert_id in {each.id for each in one.alerts})
            assert 0 <= (first.at - told.at).total_seconds() <= 1
            assert first.purpose in {Purpose.FIRING, Purpose.UPDATE, Purpose.RESOLVED}


@settings(max_examples=80, deadline=None)
@given(moves=MOVES, which_plan=st.integers(0, 1))
def test_nobody_is_pressed_once_everything_is_acknowledged(moves: list[Move], which_plan: int) -> None:
    scene = played(moves, which_plan, None)
    pressing = {Purpose.ESCALATION, Purpose.REMINDER, Purpose.UPDATE}
    for one in scene.said.intents:
        if one.purpose in pressing and not _resumed(scene.said.intents, one) and len(one.alerts) == one.count:
            assert any(each.acknowledged_by is None for each in one.alerts), one


def _resumed(intents: Sequence[Intent], one: Intent) -> bool:
    """Tell whether the newest ladder of this incident was begun because it was left alone."""
    begun = [
        each.purpose
        for each in intents
        if each.incident == one.incident
        and each.version < one.version
        and each.purpose in {Purpose.FIRING, Purpose.UNATTENDED}
    ]
    return bool(begun) and begun[-1] is Purpose.UNATTENDED


def _protected(scene: Scene, note: TimelineNote) -> bool:
    return any(told.protected for told in scene.fired if told.alert_id == note.alert_id)


def _spoken(notes: Sequence[TimelineNote]) -> list[tuple[str, str, str]]:
    return [(note.alert_id, note.reason.code, note.at.isoformat()) for note in notes]
