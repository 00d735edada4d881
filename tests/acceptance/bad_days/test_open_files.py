"""A folder that any user of the machine could read is private after a start, whatever was made by whom."""

import os
from pathlib import Path

from app.rights import mend_folder
from tests.acceptance.lifts import RULE_SETTINGS
from tests.acceptance.running import Anju
from tests.servers.plugin import MakeMosquitto

OTHERS = 0o077


def rights(folder: Path) -> dict[str, int]:
    """Return the mode bits of the folder and of everything in it."""
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): path.lstat().st_mode & 0o777 for path in paths if not path.is_symlink()}


def test_what_was_open_is_mended_and_what_is_new_is_private(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    var, outside = tmp_path / "var", tmp_path / "data" / "journal.sqlite"
    (var / "old").mkdir(0o755, parents=True)
    outside.parent.mkdir(0o755)
    for path in (var / "old" / "journal.sqlite.damaged-1", outside):
        path.touch(0o644)
    former = os.umask(0o022)
    try:
        settings = {
            "ANJU_MQTT__PORT": make_mosquitto(save_every_change=False).port,
            "ANJU_JOURNAL__PATH": outside,
            **RULE_SETTINGS,
        }
        with Anju("ingest", var, settings) as ingest, Anju("alerts", var, settings) as alerts:
            ingest.wait_ready()
            alerts.wait_ready()
            found = rights(var) | rights(outside.parent)
            said = ingest.output() + alerts.output()
    finally:
        os.umask(former)
    assert {"records.sqlite", "records.sqlite-wal", "telemetry.sqlite", "pseudonym.key", "journal.sqlite"} < set(found)
    # The folder outside `var` may belong to somebody else: only the database in it is ours.
    open_still = {name: oct(mode) for name, mode in found.items() if mode & OTHERS and name != "."}
    assert open_still == {}
    assert rights(var)["."] == 0o700
    assert "files.made_private" in said
    assert "journal.sqlite.damaged-1" in said


def test_a_link_out_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    theirs, var = tmp_path / "theirs", tmp_path / "var"
    theirs.touch(0o644)
    theirs.chmod(0o644)
    var.mkdir(0o700)
    (var / "link").symlink_to(theirs)
    assert mend_folder(var).mended == []
    assert theirs.stat().st_mode & 0o777 == 0o644
