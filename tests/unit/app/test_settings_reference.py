"""The reference page of the settings is what the code says, and says something of each."""

from pathlib import Path

from app.settings import Settings
from app.settings_reference import render

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"


def test_the_committed_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "run `python -m app.settings_reference > docs/reference/settings.md`"
    )


def test_every_setting_is_on_it_with_a_meaning() -> None:
    rows = [line.split("|") for line in render().splitlines() if line.startswith("| `ANJU_")]
    sections = [field.annotation for name, field in Settings.model_fields.items() if name != "var"]
    assert len(rows) == 1 + sum(len(section.model_fields) for section in sections if section is not None)
    assert all(cells[4].strip() for cells in rows)
