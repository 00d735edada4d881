"""Rules that change while Anju runs: taken over whole, or not at all."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alerts.history import RuleRevisionRow
from alerts.packs import builtin_rules
from alerts.rules import Rule, RuleError
from app.rule_source import RuleSource
from core.errors import TemporaryError
from tests.unit.alerts.test_rule_book import one, row


class Book:
    """A rule book in memory."""

    def __init__(self, *rows: RuleRevisionRow) -> None:
        self.rows = rows
        self.number = len(rows)
        self.away = False

    def put(self, *rows: RuleRevisionRow) -> None:
        self.rows, self.number = rows, self.number + 1

    async def version(self) -> int:
        if self.away:
            raise TemporaryError("records: away")
        return self.number

    async def newest(self) -> Sequence[RuleRevisionRow]:
        return self.rows


def write(path: Path, *rules: str) -> Path:
    """Put a file in the place of another at one stroke, as editors do."""
    entries = "".join("  - " + rule.rstrip().replace("\n", "\n    ") + "\n" for rule in rules)
    draft = path.with_suffix(".draft")
    draft.write_text(f"version: 1\nrules:\n{entries}", encoding="utf-8")
    os.replace(draft, path)
    return path


def names(rules: Sequence[Rule] | None) -> list[str] | None:
    return None if rules is None else [f"{rule.id}:{rule.severity}" for rule in rules]


async def test_a_changed_file_is_taken_over_once_and_the_log_says_what_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"), one("b"))
    source = RuleSource(builtin=False, paths=[path])
    assert names(await source.load()) == ["a:major", "b:major"]
    assert await source.changed() is None
    write(path, one("b", "minor"), one("c"))
    with capture_logs() as logs:
        assert names(await source.changed()) == ["b:minor", "c:major"]
        assert await source.changed() is None
    (said,) = logs
    assert said["event"] == "rules.reloaded"
    assert (said["added"], said["changed"], said["removed"], said["version"]) == (["c"], ["b"], ["a"], 2)


async def test_a_broken_file_changes_nothing_and_is_told_once_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"))
    other = write(tmp_path / "other.yaml", one("b"))
    source = RuleSource(builtin=False, paths=[path, other])
    await source.load()
    write(path, one("a", "bad"))
    write(other, one("b", "info"))
    with capture_logs() as logs:
        assert await source.changed() is None
        assert await source.changed() is None
    assert [entry["event"] for entry in logs] == ["rules.refused"]
    assert f"{path}:5: rule a: severity: " in source.problem
    # All or nothing: the other file's change waits as well.
    assert [(entry.id, entry.rule.severity.value) for entry in source.in_force() if entry.rule] == [
        ("a", "major"),
        ("b", "major"),
    ]
    write(path, one("a", "minor"))
    assert names(await source.changed()) == ["a:minor", "b:info"]
    assert source.problem == ""


async def test_a_file_that_goes_away_is_a_problem_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"))
    source = RuleSource(builtin=False, paths=[path])
    await source.load()
    path.unlink()
    assert await source.changed() is None
    assert "No such file" in source.problem
    write(path, one("a"))
    assert await source.changed() is None
    assert source.problem == ""


class EditedMeanwhile(tuple[Path, ...]):
    """Paths of which somebody saves the first between the first and the second time they are looked at."""

    looks = 0

    def __iter__(self) -> Iterator[Path]:
        self.looks += 1
        if self.looks == 2:
            write(self[0], one("b"))
        return super().__iter__()


async def test_a_file_that_is_saved_while_anju_starts_is_not_missed(tmp_path: Path) -> None:
    paths = EditedMeanwhile([write(tmp_path / "site.yaml", one("a"))])
    source = RuleSource(builtin=False, paths=paths)
    loaded = await source.load()
    assert names(await source.changed() or loaded) == ["b:major"]


async def test_every_file_of_a_folder_counts_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path / "20.yaml", one("b"))
    write(tmp_path / "10.yaml", one("c"))
    (tmp_path / "notes.txt").write_text("no rules")
    source = RuleSource(builtin=False, paths=[tmp_path])
    assert names(await source.load()) == ["b:major", "c:major"]
    write(tmp_path / "30.yaml", one("a"))
    assert names(await source.changed()) == ["a:major", "b:major", "c:major"]
    (tmp_path / "20.yaml").unlink()
    assert names(await source.changed()) == ["a:major", "c:major"]


async def test_the_rule_book_stands_before_the_pack() -> None:
    pack = {rule.id for rule in builtin_rules()}
    book = Book()
    source = RuleSource(builtin=True, book=book)
    assert {rule.id for rule in await source.load()} == pack
    book.put(row("thermal-offline", one("thermal-offline"), on=False), row("own", one("own", "info")))
    taken = await source.changed()
    assert taken is not None
    assert {rule.id for rule in taken} == pack - {"thermal-offline"} | {"own"}
    assert {entry.id: entry.source for entry in source.in_force()}["own"] == "rule book"
    book.put(row("own", "id: own"))
    assert await source.changed() is None
    assert source.problem.startswith("rule book: own revision 3:1: rule own: Object missing required field")


async def test_while_the_book_is_away_the_rules_stay_and_it_is_told_once(tmp_path: Path) -> None:
    book = Book(row("own", one("own")))
    source = RuleSource(builtin=False, paths=[write(tmp_path / "site.yaml", one("a"))], book=book)
    await source.load()
    book.away = True
    with capture_logs() as logs:
        assert await source.changed() is None
        assert await source.changed() is None
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("rules.unavailable", "rule book: records: away")]
    assert source.problem == "rule book: records: away"
    book.away = False
    assert await source.changed() is None
    assert source.problem == ""


async def test_a_broken_file_stops_a_start_and_a_broken_revision_does_not(tmp_path: Path) -> None:
    broken = RuleSource(builtin=False, paths=[write(tmp_path / "site.yaml", one("a", "bad"))])
    with pytest.raises(RuleError, match=r"site\.yaml:5: rule a: severity"):
        await broken.load()
    aged = RuleSource(builtin=False, paths=[write(tmp_path / "b.yaml", one("b"))], book=Book(row("a", "colour: red")))
    assert names(await aged.load()) == ["b:major"]
    assert "rule book: a revision 3" in aged.problem


async def test_two_files_with_one_id_stop_a_start(tmp_path: Path) -> None:
    source = RuleSource(
        builtin=False, paths=[write(tmp_path / "1.yaml", one("a")), write(tmp_path / "2.yaml", one("a"))]
    )
    with pytest.raises(RuleError, match=r"2\.yaml:3: rule a: id 'a' stands in .*1\.yaml as well"):
        await source.load()
