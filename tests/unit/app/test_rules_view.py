"""The rules as the API shows them: as new as the files and the rule book, as good as the last good ones."""

import asyncio
from pathlib import Path

from app.rule_source import RuleSource
from app.rules_view import RulesView
from tests.unit.alerts.test_rule_book import one, row
from tests.unit.app.test_rule_source import Book, write


async def test_whoever_asks_sees_what_was_just_kept(tmp_path: Path) -> None:
    book = Book()
    source = RuleSource(builtin=False, paths=[write(tmp_path / "site.yaml", one("a"))], book=book)
    await source.load()
    view = RulesView(source)
    assert [(rule.id, rule.revision) for rule in await view.in_force()] == [("a", 0)]
    book.put(row("a", one("a", "minor")), row("b", one("b")))
    found = await asyncio.gather(view.in_force(), view.in_force())
    assert [[(rule.id, rule.revision) for rule in rules] for rules in found] == [[("a", 3), ("b", 3)]] * 2
    assert await view.problem() == ""


async def test_what_is_broken_is_said_and_the_rules_before_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"))
    source = RuleSource(builtin=False, paths=[path])
    await source.load()
    view = RulesView(source)
    write(path, one("a", "terrible"))
    assert [rule.id for rule in await view.in_force()] == ["a"]
    assert "site.yaml:5: rule a: severity" in await view.problem()


async def test_a_rule_book_that_is_away_hides_nothing(tmp_path: Path) -> None:
    book = Book()
    source = RuleSource(builtin=False, paths=[write(tmp_path / "site.yaml", one("a"))], book=book)
    await source.load()
    view = RulesView(source)
    book.away = True
    assert [rule.id for rule in await view.in_force()] == ["a"]
    assert "away" in await view.problem()
