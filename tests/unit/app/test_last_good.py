"""A start with broken files goes on with the version that was good last, and says so; a mended file takes over."""

import contextlib
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alerts.dispatch.defaults import default_plan as default_notify
from alerts.packs import builtin_rules
from app.channels import Channels
from app.emergency_plan import EmergencyPlanSource
from app.last_good import LastGood, components
from app.plan_source import PlanSource
from app.rule_source import RuleSource
from app.settings import Settings
from core.clock import ManualClock
from core.configuration import EMERGENCY, PLAN, RULES, GoodConfiguration
from core.errors import StartupError, TemporaryError
from core.source import RuleError
from tests.unit.alerts.test_rule_book import one, row
from tests.unit.app.test_channels import ENVIRONMENT
from tests.unit.app.test_channels import TEXT as PLAN_TEXT
from tests.unit.app.test_emergency_plan import TEXT as EMERGENCY_TEXT
from tests.unit.app.test_rule_source import Book, names, write

CLOCK = ManualClock(datetime(2026, 3, 1, 6, 30, tzinfo=UTC))
SINCE = "in force is the last good version, of 2026-03-01 06:30 UTC"
NULS = b"\0" * 300


class Kept:
    """The versions kept, in memory."""

    def __init__(self) -> None:
        self.versions: dict[str, GoodConfiguration] = {}
        self.away = False
        self.writes = 0

    async def newest(self, kind: str) -> GoodConfiguration | None:
        if self.away:
            raise TemporaryError("records: away")
        return self.versions.get(kind)

    async def keep(self, good: GoodConfiguration) -> None:
        if self.away:
            raise TemporaryError("records: away")
        self.writes += 1
        self.versions[good.kind] = good

    def texts(self, kind: str) -> Mapping[str, str]:
        return self.versions[kind].texts


@pytest.fixture
def kept() -> Kept:
    return Kept()


def rules(kept: Kept, *paths: Path, book: Book | None = None, builtin: bool = False) -> RuleSource:
    return RuleSource(builtin=builtin, paths=paths, book=book, last_good=LastGood(kept, RULES, CLOCK))


def plan(kept: Kept, path: Path | None, environment: Mapping[str, str] = ENVIRONMENT) -> PlanSource:
    return PlanSource(path, Channels(Settings(), CLOCK, environment), LastGood(kept, PLAN, CLOCK))


def emergency(kept: Kept, path: Path | None) -> EmergencyPlanSource:
    return EmergencyPlanSource(path, default_notify, LastGood(kept, EMERGENCY, CLOCK))


def file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


async def test_rules_that_were_good_decide_until_the_file_is_mended(kept: Kept, tmp_path: Path) -> None:
    path, other = write(tmp_path / "site.yaml", one("a")), write(tmp_path / "other.yaml", one("b"))
    await rules(kept, path, other).load()
    path.write_bytes(NULS)
    write(other, one("c"))
    source = rules(kept, path, other)
    with capture_logs() as logs:
        # All or nothing: the other file is good, but the set is not.
        assert names(await source.load()) == ["a:major", "b:major"]
    assert [entry["event"] for entry in logs] == ["rules.refused"]
    assert source.problem == (
        f"{path}:1: not YAML: the character U+0000: expected text without control characters; {SINCE}"
    )
    assert await source.changed() is None
    assert source.problem.endswith(SINCE)
    write(path, one("a", "minor"))
    assert names(await source.changed()) == ["a:minor", "c:major"]
    assert source.problem == ""
    assert list(kept.texts(RULES)) == [str(path), str(other)]
    assert "minor" in kept.texts(RULES)[str(path)]


async def test_what_is_taken_while_running_is_kept_and_what_is_refused_is_not(kept: Kept, tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"))
    source = rules(kept, path)
    await source.load()
    write(path, one("a", "minor"))
    await source.changed()
    path.write_bytes(NULS)
    await source.changed()
    assert names(await rules(kept, path).load()) == ["a:minor"]


async def test_a_comment_alone_is_kept_too(kept: Kept, tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"))
    source = rules(kept, path)
    await source.load()
    file(path, path.read_text() + "# why\n")
    assert await source.changed() is None
    assert kept.texts(RULES)[str(path)].endswith("# why\n")


async def test_only_changes_are_written_and_those_that_failed_again(kept: Kept, tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"))
    source = rules(kept, path)
    await source.load()
    await source.changed()
    assert kept.writes == 1
    kept.away = True
    write(path, one("b"))
    with capture_logs() as logs:
        assert names(await source.changed()) == ["b:major"]
        await source.changed()
    assert [entry["event"] for entry in logs] == ["rules.reloaded", "configuration.not_kept"]
    kept.away = False
    await source.changed()
    await source.changed()
    assert (kept.writes, list(kept.texts(RULES))) == (2, [str(path)])


async def test_without_a_clock_nothing_is_kept(kept: Kept, tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"))
    source = RuleSource(builtin=False, paths=[path], last_good=LastGood(kept, RULES, None))
    assert names(await source.load()) == ["a:major"]
    assert kept.versions == {}


async def test_without_files_there_is_nothing_to_keep(kept: Kept) -> None:
    await rules(kept, builtin=True).load()
    await plan(kept, None).load()
    await emergency(kept, None).load()
    assert kept.versions == {}


async def test_a_first_start_with_a_broken_file_is_refused(kept: Kept, tmp_path: Path) -> None:
    broken = tmp_path / "x.yaml"
    broken.write_bytes(NULS)
    for source in (rules(kept, broken), plan(kept, broken), emergency(kept, broken)):
        with pytest.raises(RuleError, match=r"x\.yaml:1: not YAML"):
            await source.load()


async def test_the_rule_book_goes_before_the_rules_that_were_good(kept: Kept, tmp_path: Path) -> None:
    path = write(tmp_path / "site.yaml", one("a"))
    await rules(kept, path).load()
    path.unlink()
    source = rules(kept, path, book=Book(row("a", one("a", "info"))))
    assert names(await source.load()) == ["a:info"]
    assert source.problem.startswith(f"{path}:1: No such file")


async def test_rules_that_a_newer_anju_does_not_understand_give_way_to_the_built_in_ones(
    kept: Kept, tmp_path: Path
) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(NULS)
    kept.versions[RULES] = GoodConfiguration(RULES, {"old.yaml": "version: 1\nrules: [{id: x}]\n"}, CLOCK.now())
    source = rules(kept, path)
    assert {rule.id for rule in await source.load()} == {rule.id for rule in builtin_rules()}
    assert source.problem.endswith(
        "cannot be used either (old.yaml:2: rule x: Object missing required field `kind`): in force is the built-in one"
    )


async def test_rules_whose_ids_are_built_in_by_now_give_way_too(kept: Kept, tmp_path: Path) -> None:
    """The kept version goes through the very checks that a file goes through."""
    path = tmp_path / "site.yaml"
    path.write_bytes(NULS)
    text = write(tmp_path / "old.yaml", one("thermal-offline")).read_text()
    kept.versions[RULES] = GoodConfiguration(RULES, {"old.yaml": text}, CLOCK.now())
    source = rules(kept, path, builtin=True)
    assert {rule.id for rule in await source.load()} == {rule.id for rule in builtin_rules()}
    assert "old.yaml:3: rule thermal-offline: id 'thermal-offline' stands in built-in as well" in source.problem


async def test_a_plan_that_was_good_tells_people_until_the_file_is_mended(kept: Kept, tmp_path: Path) -> None:
    path = file(tmp_path / "plan.yaml", PLAN_TEXT)
    before = await plan(kept, path).load()
    path.write_bytes(NULS)
    source = plan(kept, path)
    assert await source.load() == before
    assert set(source.receivers) == {"centre", "li-mail", "wall"}
    assert source.problem.startswith(f"{path}:1: not YAML")
    assert source.problem.endswith(SINCE)
    assert await source.changed() is None
    file(path, PLAN_TEXT.replace("wall", "board"))
    assert await source.changed() is not None
    assert source.problem == ""
    assert "board" in kept.texts(PLAN)[str(path)]


async def test_a_plan_with_a_secret_that_is_missing_is_not_good(kept: Kept, tmp_path: Path) -> None:
    path = file(tmp_path / "plan.yaml", PLAN_TEXT)
    before = await plan(kept, path).load()
    file(path, PLAN_TEXT.replace("HOOK_SECRET", "NOT_SET"))
    source = plan(kept, path)
    assert await source.load() == before
    assert source.problem == f"receiver centre: environment variable NOT_SET is not set; {SINCE}"


async def test_where_neither_plan_can_be_used_the_built_in_one_is(kept: Kept, tmp_path: Path) -> None:
    path = file(tmp_path / "plan.yaml", PLAN_TEXT)
    await plan(kept, path).load()
    source = plan(kept, path, {})
    assert await source.load() == default_notify()
    assert source.problem.endswith(
        "cannot be used either (receiver centre: environment variable HOOK_SECRET is not set): in force is the "
        "built-in one"
    )
    with pytest.raises(StartupError, match="HOOK_SECRET is not set"):
        await plan(Kept(), path, {}).load()


async def test_an_emergency_plan_that_was_good_is_called_by_until_the_file_is_mended(
    kept: Kept, tmp_path: Path
) -> None:
    path = file(tmp_path / "emergency.yaml", EMERGENCY_TEXT)
    before = await emergency(kept, path).load()
    path.write_bytes(NULS)
    source = emergency(kept, path)
    assert await source.load() == before
    assert source.problem.endswith(SINCE)
    await source.look()
    assert source.problem.endswith(SINCE)
    file(path, EMERGENCY_TEXT.replace("wait: 30s", "wait: 20s"))
    await source.look()
    assert (source.plan.ladders[0].steps[0].wait, source.problem) == ("20s", "")
    assert "wait: 20s" in kept.texts(EMERGENCY)[str(path)]


async def test_an_emergency_plan_that_names_somebody_unknown_is_no_good_version(kept: Kept, tmp_path: Path) -> None:
    path = file(tmp_path / "emergency.yaml", EMERGENCY_TEXT.replace('["receiver:wall"]', '["receiver:tower"]'))
    await emergency(kept, path).load()
    assert kept.versions == {}


async def test_an_emergency_plan_that_is_understood_no_more_gives_way_to_the_built_in_one(
    kept: Kept, tmp_path: Path
) -> None:
    path = file(tmp_path / "emergency.yaml", "version: 1")
    kept.versions[EMERGENCY] = GoodConfiguration(EMERGENCY, {"old.yaml": "version: 0"}, CLOCK.now())
    source = emergency(kept, path)
    assert await source.load() == await emergency(kept, None).load()
    assert source.problem.endswith("in force is the built-in one")


@pytest.mark.parametrize("kind", ["rules", "plan", "emergency"])
async def test_a_file_that_can_be_read_again_is_taken_although_it_never_changed(
    kept: Kept, tmp_path: Path, kind: str
) -> None:
    """As after a moment without file descriptors, or when somebody gives back the right to read."""
    path = tmp_path / "x.yaml"
    texts = {"plan": PLAN_TEXT, "emergency": EMERGENCY_TEXT}
    file(path, texts[kind]) if kind in texts else write(path, one("a"))
    makers: dict[str, Callable[[Kept, Path], RuleSource | PlanSource | EmergencyPlanSource]]
    makers = {"rules": rules, "plan": plan, "emergency": emergency}
    await makers[kind](kept, path).load()
    away = path.rename(tmp_path / "away")
    source = makers[kind](kept, path)
    await source.load()
    assert f"{path}:1: No such file" in source.problem
    look = source.look if isinstance(source, EmergencyPlanSource) else source.changed
    with capture_logs() as logs:
        await look()
        await look()
    assert logs == []
    assert SINCE in source.problem
    away.rename(path)
    await look()
    assert source.problem == ""


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Leave this process not one more file descriptor."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("kind", ["rules", "plan", "emergency", "folder"])
async def test_a_moment_without_file_descriptors_is_over_with_it(kept: Kept, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.yaml"
    texts = {"plan": PLAN_TEXT, "emergency": EMERGENCY_TEXT}
    file(path, texts[kind]) if kind in texts else write(path, one("a"))
    makers: dict[str, Callable[[Kept, Path], RuleSource | PlanSource | EmergencyPlanSource]]
    makers = {"rules": rules, "plan": plan, "emergency": emergency}
    source = rules(kept, tmp_path, builtin=True) if kind == "folder" else makers[kind](kept, path)
    await source.load()
    look = source.look if isinstance(source, EmergencyPlanSource) else source.changed
    if kind != "folder":  # A folder has to be listed at every look.
        os.utime(path, (0, 0))
    with no_descriptors():
        await look()
        assert "Too many open files" in source.problem
    await look()
    assert source.problem == ""


def test_components_are_those_with_a_problem() -> None:
    assert components(rules="a.yaml:1: x", plan="", emergency="e.yaml:2: y") == {
        "configuration/rules": "a.yaml:1: x",
        "configuration/emergency": "e.yaml:2: y",
    }
