"""``anju doctor`` on installations that are not there, broken or open: it answers, and changes nothing."""

import os
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from app import doctor, wiring
from app.doctor import Finding, Grade, examine
from app.opening import open_records
from app.settings import Settings
from app.steady_clock import read_clock
from core.observations import Incoming
from tests.contract.records_cases import START


def settings_of(var: Path, **others: object) -> Settings:
    return Settings.model_validate({"var": var, **others})


async def found_by(settings: Settings) -> dict[str, Finding]:
    """The worst finding of each check."""
    worst: dict[str, Finding] = {}
    for each in await examine(settings, read_clock(settings.var)):
        ranks = list(Grade)
        if each.check not in worst or ranks.index(each.grade) > ranks.index(worst[each.check].grade):
            worst[each.check] = each
    return worst


@pytest.fixture
def nobody_answers() -> Iterator[int]:
    """A port at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def elsewhere(nobody_answers: int) -> dict[str, object]:
    return {"mqtt": {"port": nobody_answers}, "api": {"port": nobody_answers}}


async def installed(settings: Settings) -> None:
    """An installation that has received one message."""
    settings.var.mkdir(mode=0o700)
    journal = wiring.journal(settings, appending=True)
    journal.append([Incoming("a/b", b"x", 1, START, digest=1)])
    journal.close()
    database = wiring.records(settings)
    await open_records(database, settings)
    await database.close()
    for path in settings.var.iterdir():
        path.chmod(0o600)


def everything_in(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in folder.rglob("*")
    }


async def test_it_makes_nothing_where_there_is_nothing(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    found = await found_by(settings)
    assert set(found) == set(doctor.CHECKS)
    assert found["journal"].grade is Grade.WARNING
    assert found["broker"].grade is Grade.BAD
    assert list(tmp_path.iterdir()) == []


async def test_it_changes_nothing_of_an_installation(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    before = everything_in(tmp_path)
    found = await found_by(settings)
    assert (found["file rights"].grade, found["journal"].grade, found["records"].grade) == (Grade.GOOD,) * 3
    assert everything_in(tmp_path) == before


async def test_an_emptied_journal_stays_empty(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    settings.journal_path.write_bytes(b"")
    found = await found_by(settings)
    assert (found["journal"].grade, "is empty" in found["journal"].text) == (Grade.BAD, True)
    assert settings.journal_path.stat().st_size == 0


async def test_a_lost_key_is_told_and_no_other_one_is_made(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    settings.journal_key_path.unlink()
    found = await found_by(settings)
    assert (found["journal"].grade, "is missing" in found["journal"].text) == (Grade.BAD, True)
    assert not settings.journal_key_path.exists()


async def test_a_wrong_key_is_told(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    settings.journal_key_path.write_bytes(os.urandom(32))
    assert "sealed with key" in (await found_by(settings))["journal"].text


async def test_damaged_records_are_told_with_the_way_out(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    path = settings.var / "records.sqlite"
    content = bytearray(path.read_bytes())
    content[8_192:16_384] = bytes(8_192)
    path.write_bytes(content)
    found = (await found_by(settings))["records"]
    assert (found.grade, "anju records rescue" in found.text) == (Grade.BAD, True)


async def test_files_that_are_open_to_others_are_told_and_links_are_not(
    tmp_path: Path, elsewhere: dict[str, object]
) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    (settings.var / "link").symlink_to(settings.journal_path)
    assert (await found_by(settings))["file rights"].grade is Grade.GOOD
    settings.journal_path.chmod(0o640)
    found = (await found_by(settings))["file rights"]
    assert (found.grade, found.way_out) == (Grade.BAD, f"chmod -R go-rwx {settings.var}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_root_is_not_told_to_take_the_folder_from_its_user(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    settings = settings_of(tmp_path / "var", **elsewhere)
    await installed(settings)
    for path in (settings.var, *settings.var.iterdir()):
        os.chown(path, 4_321, 4_321)
    assert (await found_by(settings))["file rights"].grade is Grade.GOOD
    os.chown(settings.journal_path, 0, 0)
    assert (await found_by(settings))["file rights"].way_out == f"chown -R 4321 {settings.var}"


@pytest.mark.parametrize("host", ["::1", "::", "no such host", ""])
async def test_any_address_is_examined(tmp_path: Path, nobody_answers: int, host: str) -> None:
    settings = settings_of(tmp_path / "var", mqtt={"port": nobody_answers}, api={"host": host, "port": nobody_answers})
    found = await found_by(settings)
    assert set(found) == set(doctor.CHECKS)
    assert found["port"].grade is not Grade.GOOD
    assert "Invalid" not in found["port"].text


async def test_what_a_check_fails_of_hides_no_other(
    tmp_path: Path, elsewhere: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_settings: object, _clock: object) -> Iterator[Finding]:
        raise ZeroDivisionError("a fault")

    monkeypatch.setitem(doctor.CHECKS, "disk", fails)
    found = await found_by(settings_of(tmp_path / "var", **elsewhere))
    assert set(found) == set(doctor.CHECKS)
    assert (found["disk"].grade, found["disk"].text) == (Grade.BAD, "a fault")


async def test_a_broker_that_never_answers_is_not_waited_for(
    tmp_path: Path, nobody_answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = settings_of(tmp_path / "var", mqtt={"port": port}, api={"port": nobody_answers})
        assert (await found_by(settings))["broker"].text == f"127.0.0.1:{port}: no answer"
