"""The plan that comes with Anju."""

from functools import cache
from importlib.resources import files

from alerts.dispatch.plan import Plan
from alerts.dispatch.plan_loading import load_plan

DEFAULT = "default.yaml"


@cache
def default_plan() -> Plan:
    """Return the plan in force where nobody has written one; read once, so that later no file is needed."""
    return load_plan(files(__package__).joinpath(DEFAULT).read_text(encoding="utf-8"), DEFAULT)
