"""The commands about rules, as somebody who types them meets them."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from tests.unit.alerts.test_rule_series import RULES, SERIES


def anju(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def written(folder: Path, *texts: str) -> Sequence[Path]:
    paths = [folder / f"rules-{number}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_good_files_are_counted(tmp_path: Path) -> None:
    first, second = written(tmp_path, RULES, RULES + SERIES)
    result = anju("rules", "check", first, second)
    assert result.stdout.splitlines() == [f"{first}: 2 rules, all valid", f"{second}: 2 rules, 1 tests, all valid"]
    assert result.exit_code == 0


def test_every_mistake_of_every_file_is_told_with_its_line(tmp_path: Path) -> None:
    first, second = written(
        tmp_path, RULES.replace("10s", "soon").replace("[forced_open]", "[burst]"), RULES.replace("minor", "low")
    )
    result = anju("rules", "check", first, second)
    assert [line.rsplit(": expected", 1)[0].removeprefix(str(tmp_path)) for line in result.stderr.splitlines()] == [
        "/rules-0.yaml:8: rule hot: for: Expected a duration such as 45s, 5m or 1h",
        "/rules-0.yaml:15: rule forced: event type 'burst'",
        "/rules-1.yaml:12: rule forced: severity: Invalid enum value 'low'",
    ]
    assert (result.stdout, result.exit_code) == ("", 1)


def test_a_test_that_passes(tmp_path: Path) -> None:
    (path,) = written(tmp_path, RULES + SERIES)
    result = anju("rules", "test", path)
    assert result.stdout.splitlines() == ["ok    heat", f"{path}: 1 tests, none failed"]
    assert result.exit_code == 0


def test_a_test_that_fails_shows_what_was_expected_beside_what_happened(tmp_path: Path) -> None:
    (path,) = written(tmp_path, RULES + SERIES.replace("at: 10s", "at: 12s"))
    result = anju("rules", "test", path)
    assert result.stdout.splitlines() == [
        f"FAIL  heat ({path}:17)",
        "      happened, not expected                 10s  hot of shed-1 firing major: region a: maximum temperature"
        " 50 °C, for 10 s",
        "      expected, did not happen               12s  hot of shed-1 firing major: maximum temperature",
        f"{path}: 1 tests, 1 failed",
    ]
    assert result.exit_code == 1


def test_a_file_without_tests_says_so_and_is_no_failure(tmp_path: Path) -> None:
    (path,) = written(tmp_path, RULES)
    result = anju("rules", "test", path)
    assert (result.exit_code, result.stdout) == (0, f"{path}: no tests: expected a list `tests` beside `rules`\n")


def test_a_broken_file_is_not_tested_but_the_others_are(tmp_path: Path) -> None:
    broken, good = written(tmp_path, RULES.replace("10s", "soon") + SERIES, RULES + SERIES)
    result = anju("rules", "test", broken, good)
    assert f"{broken}:8: rule hot: for" in result.stderr
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, f"{good}: 1 tests, none failed")


def test_the_built_in_pack_passes_its_own_tests() -> None:
    result = anju("rules", "test", "--builtin")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith("tests, none failed")


@pytest.mark.parametrize("command", ["check", "test"])
def test_a_file_that_is_not_there(command: str, tmp_path: Path) -> None:
    result = anju("rules", command, tmp_path / "none.yaml")
    assert f"{tmp_path / 'none.yaml'}:1: No such file" in str(result.exception)
    assert result.exit_code == 1
