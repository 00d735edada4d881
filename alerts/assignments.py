"""Which rules are on watch at which device: by kind, scope and the figures that a rule takes from the inventory."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import tzinfo

from msgspec import Struct

from alerts import steps
from alerts.inventory import DeviceFacts, Inventory
from alerts.late import ZONE
from alerts.model import Reason
from alerts.posts import Roster
from alerts.rules.conditions import Compare
from alerts.rules.model import Rule
from alerts.rules.scopes import covers
from alerts.trees import CompiledRule, rule_of
from alerts.watches.limits import attributes_of
from core.devices import DeviceKey, DeviceKind

Figures = tuple[tuple[str, float | None], ...]
"""Of a device, those that a rule compares with."""


class Assignments:
    """Rules and inventory in force.

    Devices that have the same rules share a roster; a rule is compiled once for all devices with the same figures, and
    is not on watch where a figure that it takes is not known. Of a device that is retired no silence is watched.
    """

    def __init__(self, rules: Iterable[Rule], zone: tzinfo = ZONE) -> None:
        self._zone = zone
        self._rules: dict[str, Rule] = {}
        self._attributes: dict[str, list[str]] = {}
        self._compiled: dict[str, dict[Figures, CompiledRule]] = {}
        self._rosters: dict[tuple[CompiledRule, ...], Roster] = {}
        self.inventory = Inventory()
        self._peers: dict[DeviceKind, set[str]] = {}
        """By kind, the names that rules compare others with."""
        self.replace_rules(rules)

    def replace_rules(self, rules: Iterable[Rule]) -> None:
        """Put other rules in force; those that are equal to what was stay compiled."""
        before, self._rules = self._rules, {rule.id: rule for rule in rules}
        self._attributes = {rule.id: sorted(attributes_of(rule)) for rule in self._rules.values()}
        self._compiled = {
            rule.id: self._compiled[rule.id] if before.get(rule.id) == rule else {} for rule in self._rules.values()
        }
        peers: defaultdict[DeviceKind, set[str]] = defaultdict(set)
        for rule in self._rules.values():
            peers[rule.kind].update(_peers_of(rule))
        self._peers = {kind: names for kind, names in peers.items() if names}
        known = {compiled for by_figures in self._compiled.values() for compiled in by_figures.values()}
        self._rosters = {chosen: roster for chosen, roster in self._rosters.items() if known.issuperset(chosen)}

    def set_inventory(self, inventory: Inventory) -> None:
        """Put other facts of devices in force."""
        self.inventory = inventory

    def roster_of(self, key: DeviceKey) -> Roster:
        """Return the rules on watch at a device; the same object for as long as they are the same."""
        facts = self.inventory.of(key)
        chosen = tuple(
            compiled
            for rule in self._rules.values()
            if rule.kind is key.kind and covers(rule.scope, key, facts)
            if (compiled := self._compile(rule, facts)).applies and not (facts.retired and compiled.only_absence)
        )
        roster = self._rosters.get(chosen)
        if roster is None:
            roster = self._rosters[chosen] = Roster(chosen, self._zone)
        return roster

    def queue_of(self, key: DeviceKey) -> DeviceKey:
        """Return what names the devices whose messages must be decided in one order.

        That is the device, or, of all devices of its kind and community that rules compare with others or others with
        it, a key without a device.
        """
        names = self._peers.get(key.kind)
        if names is None or not (key.device in names or self.roster_of(key).comparing):
            return key
        return DeviceKey(key.community, key.kind, "")

    @property
    def compares(self) -> bool:
        """Whether any rule compares devices with each other."""
        return bool(self._peers)

    def keep(self, rosters: Iterable[Roster]) -> None:
        """Forget all compiled rules but those of ``rosters``: others were for figures that no device has any more."""
        in_use = set(rosters)
        self._rosters = {chosen: roster for chosen, roster in self._rosters.items() if roster in in_use}
        known = {compiled for chosen in self._rosters for compiled in chosen}
        for rule, by_figures in self._compiled.items():
            self._compiled[rule] = {figures: each for figures, each in by_figures.items() if each in known}

    def is_retired(self, key: DeviceKey) -> bool:
        """Tell whether a device was taken out of service."""
        return self.inventory.of(key).retired

    def why_not(self, rule: str, key: DeviceKey) -> Reason:
        """Return why a rule of that id is not on watch at a device."""
        known, facts = self._rules.get(rule_of(rule)), self.inventory.of(key)
        if known is None or known.kind is not key.kind:
            return steps.RULE_REMOVED
        compiled = self._compile(known, facts)
        if facts.retired and compiled.applies and compiled.only_absence and covers(known.scope, key, facts):
            return steps.RETIRED
        return steps.OUT_OF_SCOPE

    def _compile(self, rule: Rule, facts: DeviceFacts) -> CompiledRule:
        figures = tuple((name, facts.numbers.get(name)) for name in self._attributes[rule.id])
        compiled = self._compiled[rule.id].get(figures)
        if compiled is None:
            compiled = self._compiled[rule.id][figures] = CompiledRule(rule, facts)
        return compiled


def _peers_of(value: object) -> Iterator[str]:
    """Yield the names of devices that others are compared with, of a rule or a part of one."""
    if isinstance(value, Compare) and value.peer is not None:
        yield value.peer
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _peers_of(getattr(value, name))
    elif isinstance(value, list):
        for each in value:
            yield from _peers_of(each)
