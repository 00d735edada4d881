"""Every module of alerts says whether it is pure, and the pure ones import nothing that reads, waits or guesses."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "alerts"
PURE = {
    "__init__",
    "absences",
    "asides",
    "assignments",
    "backtest",
    "changes",
    "clocks",
    "dispatch/__init__",
    "dispatch/audiences",
    "dispatch/briefs",
    "dispatch/desk",
    "dispatch/holds",
    "dispatch/joining",
    "dispatch/memory",
    "dispatch/model",
    "dispatch/notes",
    "dispatch/plan",
    "dispatch/plan_checks",
    "dispatch/plan_loading",
    "dispatch/rota",
    "dispatch/shelf",
    "dispatch/speaking",
    "dispatch/superseded",
    "dispatch/system",
    "dispatch/system_rules",
    "dispatch/telling",
    "engine",
    "faults",
    "floods",
    "history",
    "inventory",
    "joining",
    "late",
    "late_watches",
    "lifecycle",
    "live",
    "matchers",
    "memory",
    "model",
    "notify/__init__",
    "notify/addresses",
    "notify/confirming",
    "notify/document",
    "notify/errors",
    "notify/lane",
    "notify/patience",
    "notify/phrases",
    "notify/signature",
    "notify/wording",
    "policy",
    "parts",
    "pausing",
    "ports",
    "posts",
    "quality",
    "rates",
    "restoring",
    "rules/__init__",
    "rules/book",
    "rules/checks",
    "rules/conditions",
    "rules/loading",
    "rules/model",
    "rules/rule_checks",
    "rules/schedules",
    "rules/schema",
    "rules/scopes",
    "rules/series",
    "rules/series_checks",
    "rules/shapes",
    "rules/signals",
    "rules/simple_checks",
    "rules/window_checks",
    "ruletests",
    "scheduling",
    "scoring/__init__",
    "scoring/duty",
    "scoring/figures",
    "scoring/judging",
    "scoring/replay",
    "scoring/report",
    "scoring/truth",
    "sites",
    "steps",
    "timers",
    "trees",
    "unknown_devices",
    "watches/__init__",
    "watches/comparisons",
    "watches/counts",
    "watches/events",
    "watches/happenings",
    "watches/hours",
    "watches/limits",
    "watches/margins",
    "watches/medians",
    "watches/moments",
    "watches/readings",
    "watches/sequences",
    "watches/silence",
    "watches/unchanged",
    "watches/watch",
    "watches/windows",
    "words",
}
IMPURE = {
    "dispatch/defaults",
    "dispatch/service",
    "notify/apprise",
    "notify/book",
    "notify/deliverer",
    "notify/mqtt",
    "notify/posting",
    "notify/robots",
    "notify/services",
    "notify/trimming",
    "notify/webhook",
    "packs/__init__",
    "persistence",
    "service",
}
UNWANTED = {
    "asyncio",
    "importlib",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "structlog",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
# From the clock's module, pure code may only take the two conversions.
CLOCKS = {"Clock", "SystemClock", "ManualClock"}


def modules() -> set[str]:
    return {path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.rglob("*.py")}


def imports(module: str) -> set[str]:
    """Return what a module imports: top-level packages, and ``alerts.x`` or ``core.clock.X`` in full."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_module_is_listed_as_pure_or_impure() -> None:
    assert modules() == PURE | IMPURE
    assert not PURE & IMPURE


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_import_nothing_impure(module: str) -> None:
    found = imports(module)
    assert not {name for name in found if name.split(".")[0] in UNWANTED}
    assert not found & {f"core.clock.{name}" for name in CLOCKS}
    assert not {name for name in found if name in {f"alerts.{one.removesuffix('/__init__')}" for one in IMPURE}}


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_open_nothing_and_print_nothing(module: str) -> None:
    tree = ast.parse((ROOT / f"{module}.py").read_text(encoding="utf-8"))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "print", "input", "exec", "eval"}
