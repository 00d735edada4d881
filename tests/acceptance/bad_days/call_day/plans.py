"""The texts of the day of calls: rules, the notification plan, and emergency plans of short waits that take turns."""

from dataclasses import dataclass

ROTA_STEP = "guard"
PEOPLE = {"guard": ("gao",), "manager": ("meng",), "maintainer": ("wei", "wan"), "director": ("ding",)}
"""Who is told by each step that tells somebody; each person has one receiver, of the same name."""
DIALLED_STEP = "hotline"
STEPS = ("guard", "manager", "maintainer", DIALLED_STEP, "director")
RECEIVERS = tuple(name for names in PEOPLE.values() for name in names)
STAFF = ("li", "zhang", "wang", "zhao")
COMMUNITIES = tuple(f"yard-{number}" for number in range(1, 7))
REPEAT_SECONDS = 1.0
"""What a lift says again within so long is the same press."""


@dataclass(frozen=True)
class Waits:
    """One emergency plan: seconds by step in the ladder's order, and for who answers or sends somebody."""

    steps: dict[str, int]
    answered: int
    dispatched: int

    @property
    def last(self) -> int:
        """After the last step everybody is told again so often."""
        return list(self.steps.values())[-1]


PLANS = {
    "quick": Waits(dict(zip(STEPS, (3, 4, 4, 3, 15), strict=True)), 8, 6),
    "slow": Waits(dict(zip(STEPS, (5, 6, 5, 4, 18), strict=True)), 11, 8),
    "short": Waits(dict(zip(STEPS[:4], (4, 3, 5, 16), strict=True)), 9, 7),
}
LONGEST = Waits(
    {step: max(plan.steps.get(step, 0) for plan in PLANS.values()) for step in STEPS},
    max(plan.answered for plan in PLANS.values()),
    max(plan.dispatched for plan in PLANS.values()),
)
"""What holds whichever plan was in force."""
LAST_SECONDS = max(plan.last for plan in PLANS.values())
# By arrival: a wall clock that was set makes no device's word late.
_RULE = """\
  - id: {name}
    kind: elevator
    severity: critical
    title: {{zh: {name}, en: {name}}}
    next_step: {{zh: 查看, en: look}}
    condition: {{kind: event, types: [{event}], {more}, repeat_after: 1s}}
    chatter: false
    late: accept
    max_late: 1d
    by_arrival: true
"""
RULES = "version: 1\nrules:\n" + "".join(
    _RULE.format(name=name, event=event, more=more)
    for name, event, more in (
        ("car-alarm-button", "alarm_pressed", "clears_on: [alarm_reset]"),
        ("trapped-passenger", "fault_raised", "kinds: [trapped_at_level], clears_on: [fault_cleared]"),
        ("car-alarm-ended", "alarm_reset", "resolve_after: 10m"),
    )
)


def notification_plan(url: str) -> str:
    """Return the plan in which every person is told at ``url``, each on a path of their own."""
    receivers = "".join(
        f'  - {{name: {name}, webhook: {{url: "{url}/{name}", secret: "${{DAY_SECRET}}"}}}}\n'
        for name in (*RECEIVERS, "alerts")
    )
    people = "".join(f"  - {{name: {name}, receivers: [{name}]}}\n" for name in RECEIVERS)
    on_duty = ", ".join(PEOPLE[ROTA_STEP])
    return (
        f"version: 1\nreceivers:\n{receivers}people:\n{people}"
        f"rotas: [{{name: duty, layers: [{{start: 2026-01-05, people: [{on_duty}]}}]}}]\n"
        'policies: [{name: rare, steps: [{after: 1h, notify: ["receiver:alerts"]}]}]\n'
        "routes: [{policy: rare}]\nflood: null\n"
    )


def emergency_plan(waits: Waits) -> str:
    """Return the plan with these waits."""
    contacts = "".join(f"  - {_contact(step)}\n" for step in STEPS)
    steps = "".join(
        f"      - {{name: {step}, title: {_title(step)}, roles: [{step}], wait: {wait}s}}\n"
        for step, wait in waits.steps.items()
    )
    return (
        f"version: 1\ncontacts:\n{contacts}ladders:\n  - name: lift\n"
        f"    answered_wait: {waits.answered}s\n    dispatch_wait: {waits.dispatched}s\n    steps:\n{steps}"
        'communities: [{community: "*", ladder: lift, roles: {}, area: urban}]\n'
    )


def _title(step: str) -> str:
    return f"{{zh: {step}, en: {step}}}"


def _contact(step: str) -> str:
    if step == DIALLED_STEP:
        return f'{{name: {step}, title: {_title(step)}, phone: "96333"}}'
    targets = ["rota:duty"] if step == ROTA_STEP else [f"person:{name}" for name in PEOPLE[step]]
    told = ", ".join(f'"{target}"' for target in targets)
    contractor = ", contractor: true" if step == "maintainer" else ""
    return f"{{name: {step}, title: {_title(step)}, tell: [{told}]{contractor}}}"
