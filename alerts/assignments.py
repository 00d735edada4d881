"""Which rules are on watch at which device: by kind, scope and the figures that a rule takes from the inventory."""

from collections.abc import Iterable

from alerts.inventory import DeviceFacts, Inventory
from alerts.posts import Roster
from alerts.rules.model import Rule
from alerts.rules.scopes import covers
from alerts.trees import CompiledRule
from core.devices import DeviceKey


class Assignments:
    """Rules and inventory in force. Devices that have the same rules share a roster; equal rules are compiled once."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules: dict[str, Rule] = {rule.id: rule for rule in rules}
        self._inventory = Inventory()
        self._compiled: dict[str, CompiledRule] = {}
        self._rosters: dict[tuple[CompiledRule, ...], Roster] = {}

    def replace_rules(self, rules: Iterable[Rule]) -> None:
        """Put other rules in force; those that are equal to what was stay compiled."""
        before, self._rules = self._rules, {rule.id: rule for rule in rules}
        self._compiled = {
            name: compiled for name, compiled in self._compiled.items() if before.get(name) == self._rules.get(name)
        }
        self._forget_rosters()

    def set_inventory(self, inventory: Inventory) -> None:
        """Put other facts of devices in force."""
        self._inventory = inventory

    def roster_of(self, key: DeviceKey) -> Roster:
        """Return the rules on watch at a device; the same object for as long as they are the same."""
        facts = self._inventory.of(key)
        chosen = tuple(
            self._compile(rule, facts)
            for rule in self._rules.values()
            if rule.kind is key.kind and covers(rule.scope, key, facts)
        )
        roster = self._rosters.get(chosen)
        if roster is None:
            roster = self._rosters[chosen] = Roster(chosen)
        return roster

    def is_for(self, rule: str, key: DeviceKey) -> bool:
        """Tell whether there is a rule of that id for devices of that kind, in scope or not."""
        known = self._rules.get(rule)
        return known is not None and known.kind is key.kind

    def _compile(self, rule: Rule, _facts: DeviceFacts) -> CompiledRule:
        compiled = self._compiled.get(rule.id)
        if compiled is None:
            compiled = self._compiled[rule.id] = CompiledRule(rule)
        return compiled

    def _forget_rosters(self) -> None:
        known = set(self._compiled.values())
        self._rosters = {chosen: roster for chosen, roster in self._rosters.items() if known.issuperset(chosen)}
