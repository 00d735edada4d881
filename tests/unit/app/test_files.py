"""Reading configuration files: whatever stands at a path, it is text or an error that says what is wrong."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alerts.rules import load_rules
from app.files import UnreadableFile, fingerprint, parsed, read_text
from core.source import RuleError, UnreadableText
from tests.unit.hostile_texts import NO_TEXT, RULE


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(path.parent)  # A socket's name must be short.
        server.bind(path.name)
        os.chdir(before)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def circle(path: Path) -> None:
    path.symlink_to(path.name)


def below_a_file(path: Path) -> None:
    path.symlink_to(Path(__file__) / "x")


THINGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing": (lambda _: None, "No such file or directory"),
    "a folder": (folder, "a folder"),
    "a pipe that nobody writes to": (pipe, "a pipe, a socket or a device"),
    "a socket": (listening, "a pipe, a socket or a device"),
    "a device without end": (lambda path: path.symlink_to("/dev/zero"), "a pipe, a socket or a device"),
    "a terminal": (lambda path: path.symlink_to("/dev/tty"), "a pipe, a socket or a device"),
    "a link to nothing": (dangling, "No such file or directory"),
    "a link to itself": (circle, "Too many levels of symbolic links"),
    "a path below a file": (below_a_file, "Not a directory"),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize(("make", "problem"), THINGS.values(), ids=THINGS)
def test_what_is_no_file_is_refused_and_blocks_nothing(
    tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    path = tmp_path / "x.yaml"
    make(path)
    with pytest.raises(UnreadableFile) as raised:
        read_text(path, "a rule file")
    assert str(raised.value) == f"{path}:1: {problem}: expected a rule file"
    fingerprint(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(RULE, encoding="utf-8")
    path.chmod(0)
    with pytest.raises(UnreadableFile, match=r"x\.yaml:1: Permission denied: expected a plan"):
        read_text(path, "a plan")


@pytest.mark.parametrize(("written", "line"), NO_TEXT.values(), ids=NO_TEXT)
def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path, written: bytes, line: int) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(written)
    with pytest.raises(UnreadableText, match=rf"x\.yaml:{line}: not UTF-8 at byte \d+.*: expected text in UTF-8"):
        read_text(path, "a rule file")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)  # A file of holes.
    with pytest.raises(RuleError, match=r"x\.yaml:1: more than 1000000 bytes: expected a rule file"):
        read_text(path, "a rule file")


def test_text_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(RULE.encode())
    assert read_text(path, "a rule file") == RULE


def test_a_fault_of_a_loader_is_a_mistake_of_the_file_and_in_the_log() -> None:
    def load(text: str, name: str) -> int:
        return len(text) // len(name[1:])

    assert parsed(load, "four", "xy") == 4
    with capture_logs() as logs, pytest.raises(RuleError, match=r"x:1: cannot be read, .*ZeroDivisionError"):
        parsed(load, "four", "x")
    assert [(entry["event"], entry["file"]) for entry in logs] == [("configuration.fault", "x")]


def test_what_a_loader_says_on_purpose_is_left_as_it_is() -> None:
    with pytest.raises(UnreadableText, match=r"x:1: not YAML"):
        parsed(load_rules, "\0", "x")
