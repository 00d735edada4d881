"""The rules in force as the API shows them."""

import asyncio
from collections.abc import Sequence

from alerts.rules.book import RuleInForce
from app.rule_source import RuleSource


class RulesView:
    """`api.ports.RulesInForce` over ``source``, which is loaded and from then on read by this view alone.

    Whoever asks sees what the engine takes over within its next second: files and rule book are looked at first.
    """

    def __init__(self, source: RuleSource) -> None:
        self._source = source
        self._looking = asyncio.Lock()

    async def in_force(self) -> Sequence[RuleInForce]:
        """Return all rules by id, those switched off among them. Where the rule book is away, the last ones known."""
        async with self._looking:  # Two looks at once could take an older state after a newer one.
            await self._source.changed()
        return self._source.in_force()

    async def problem(self) -> str:
        """Return why what is newest was refused, empty where nothing was."""
        return self._source.problem
