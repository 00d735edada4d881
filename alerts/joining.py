"""Parts of a device that join an open alert: another region burns, another controller is lost.

Whoever acknowledged the alert did not know of them. So they are told, each once for as long as it lasts.
"""

from alerts import steps
from alerts.memory import Device, Microseconds, Phase, RuleState
from alerts.model import Transition, TransitionKind
from alerts.trees import CompiledRule
from alerts.watches.windows import pack_standing, standing

Parts = dict[str, Microseconds]
"""Parts by name: a region, a door, or a controller behind a gateway; each with an instant."""


def join(
    rule: CompiledRule, state: RuleState, said: Transition | None, now: Microseconds, device: Device
) -> Transition | None:
    """Return what is to be told of parts that have joined the open alert of ``state``; else ``said``, the step before.

    It must be pending or firing, and be stepped like this each time: what waits for the alert is known before it fires.

    A part joins after it has lasted as long as the rule wants of the first one (``for``), or at once where the rule
    says so. If something else is told at the same instant, it waits for the next step.
    """
    here = rule.present(state.parts)
    told = _still_told(rule, standing(state.told), here, now)
    before = standing(state.joining)
    joining = {name: before.get(name, now) for name in here if name not in told}
    if state.phase is Phase.FIRING and (said is None or said.kind is TransitionKind.FIRING):
        ready = {name: since for name, since in joining.items() if _counts(rule, state, name, since, now)}
        if said is not None:
            ready |= _named(rule, state, here, now)
        elif ready:
            said = steps.joined(rule, state, ready, now, device)
        told |= dict.fromkeys(ready, 0)
        joining = {name: since for name, since in joining.items() if name not in ready}
    state.told, state.joining = pack_standing(told), pack_standing(joining)
    return said


def _named(rule: CompiledRule, state: RuleState, here: list[str], now: Microseconds) -> Parts:
    """Return what the telling of a new alert names: its part, or all that a gateway misses."""
    return dict.fromkeys([state.part] if rule.by_part else here, now)


def due(rule: CompiledRule, state: RuleState) -> Microseconds:
    """Return when the first part that waits joins the open alert, 0 for never."""
    return min(standing(state.joining).values()) + rule.policy.lasting if state.joining else 0


def _still_told(rule: CompiledRule, told: Parts, here: list[str], now: Microseconds) -> Parts:
    """Return the parts people were told of, with since when each is over; those over for long enough would be new."""
    quiet = max(rule.policy.keep_firing_for, rule.policy.chatter_within)
    since = {name: over or now for name, over in told.items() if over or name not in here}
    return {name: 0 if name in here else since[name] for name in told if name not in since or now < since[name] + quiet}


def _counts(rule: CompiledRule, state: RuleState, name: str, since: Microseconds, now: Microseconds) -> bool:
    """Tell whether a part has lasted long enough to be told."""
    return now >= since + rule.policy.lasting or rule.urgent(state.parts[name if rule.by_part else ""])
