"""What is open to other users, and cannot be mended because it belongs to one of them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.rights import mend_database, mend_folder

NOBODY = 65534


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder of root's that everybody may read, while we are somebody else."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder of another user's")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "journal.sqlite").touch(0o644)
        (folder / "journal.sqlite").chmod(0o644)
        folder.chmod(0o755)
        os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(0)


def test_it_is_said_with_the_command_that_mends_it_and_stops_nothing(theirs: Path) -> None:
    with capture_logs() as said:
        result = mend_folder(theirs)
    assert result.mended == []
    assert [line.partition(":")[0] for line in result.open] == [str(theirs), str(theirs / "journal.sqlite")]
    assert f"chown -R {NOBODY} {theirs}; chmod -R go= {theirs}" in result.open[0]
    assert [line["event"] for line in said] == ["files.open_to_others"]


def test_a_database_is_mended_with_its_companions_and_its_folder_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    names = ["some.sqlite", "some.sqlite-wal", "some.sqlite-shm", "some.sqlite.lock", "other.sqlite"]
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o664)
    result = mend_database(tmp_path / "some.sqlite")
    assert sorted(path.name for path in result.mended) == sorted(names[:4])
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in names[:4]} == {0o600}
    assert (tmp_path / "other.sqlite").stat().st_mode & 0o777 == 0o664
    assert tmp_path.stat().st_mode & 0o777 == 0o755
