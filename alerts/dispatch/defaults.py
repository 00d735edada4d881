"""The plan that comes with Anju."""

from importlib.resources import files

from alerts.dispatch.plan import Plan
from alerts.dispatch.plan_loading import load_plan

DEFAULT = "default.yaml"


def default_plan() -> Plan:
    """Return the plan in force where nobody has written one."""
    return load_plan(files(__package__).joinpath(DEFAULT).read_text(encoding="utf-8"), DEFAULT)
