"""The commands about the plan of who is told: ``anju plan check``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from alerts.dispatch.plan import Plan
from alerts.dispatch.plan_loading import check_plan
from app.plan_source import plan_text

cli = typer.Typer(help="Plans of who is told.", no_args_is_help=True)


@cli.callback()
def plan() -> None:
    """Keep `check` a command with a name of its own, though it is the only one."""


@cli.command()
def check(files: Annotated[list[Path], typer.Argument(help="Plan files, YAML.")]) -> None:
    """Check plan files: every mistake with file, line and what was expected. Secrets are not asked for."""
    broken = False
    for file in files:
        found, mistakes = check_plan(plan_text(file), str(file))
        broken = broken or bool(mistakes)
        for mistake in mistakes:
            print(mistake, file=sys.stderr)
        if found is not None and not mistakes:
            print(f"{file}: {_counted(found)}, all valid")
    if broken:
        sys.exit(1)


def _counted(plan: Plan) -> str:
    return f"{len(plan.receivers)} receivers, {len(plan.policies)} policies, {len(plan.routes)} routes"
