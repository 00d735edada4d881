"""The commands about emergency calls: ``anju emergency check``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from alerts.dispatch.plan import targets_of
from app import settings
from app.emergency_plan import emergency_text
from app.plan_source import read_plan
from emergency.plan import EmergencyPlan
from emergency.plan_loading import check_plan

cli = typer.Typer(help="Emergency calls.", no_args_is_help=True)
Config = Annotated[Path | None, typer.Option("--config", help="TOML file; environment variables go before it.")]


@cli.callback()
def _group() -> None:
    """Keep ``check`` a command of its own although it is the only one here."""


@cli.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Emergency plan files, YAML.")], config: Config = None
) -> None:
    """Check emergency plans: every mistake with file, line and what was expected."""
    targets = targets_of(read_plan(settings.load(config).notify.plan))
    broken = False
    for file in files:
        plan, mistakes = check_plan(emergency_text(file), str(file), targets)
        broken = broken or bool(mistakes)
        for mistake in mistakes:
            print(mistake, file=sys.stderr)
        if plan is not None and not mistakes:
            print(f"{file}: {_counted(plan)}, all valid")
    if broken:
        sys.exit(1)


def _counted(plan: EmergencyPlan) -> str:
    return f"{len(plan.contacts)} contacts, {len(plan.ladders)} ladders, {len(plan.communities)} communities"
