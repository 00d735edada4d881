"""The reference page of all settings, drawn from their definitions: ``python -m app.settings_reference``."""

import sys
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.settings import PREFIX, Settings

_HEAD = """\
# Settings

Generated: `python -m app.settings_reference > docs/reference/settings.md`.

Each setting is an environment variable, or a line of the TOML file that `--config` or `ANJU_CONFIG` names; the
environment goes first. In the file, `ANJU_MQTT__HOST` is `host` under `[mqtt]`. `anju check-config` shows what is in
force.
"""


def render() -> str:
    """Return the page as Markdown, ending in a line feed."""
    lines = [_HEAD, _row(("variable", "default", "bounds", "meaning")), _row(("---",) * 4)]
    lines.append(_row((f"`{PREFIX}VAR`", "`var`", "", "Folder for everything Anju keeps by itself")))
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for name, setting in field.annotation.model_fields.items():
                variable = f"`{PREFIX}{section.upper()}__{name.upper()}`"
                lines.append(_row((variable, _default(setting), _bounds(setting), setting.description or "")))
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _default(setting: FieldInfo) -> str:
    return "–" if setting.default is None else f"`{setting.default}`"


def _bounds(setting: FieldInfo) -> str:
    choices = getattr(setting.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return " or ".join(f"`{choice}`" for choice in choices)
    return ", ".join(said for constraint in setting.metadata if (said := _said(constraint)))


def _said(constraint: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥", "max_length": "length ≤"}
    return next(
        (f"{sign} {getattr(constraint, name)}" for name, sign in signs.items() if hasattr(constraint, name)), ""
    )


if __name__ == "__main__":
    sys.stdout.write(render())
