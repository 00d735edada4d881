"""Rule packs that come with Anju."""

from functools import cache
from importlib.resources import files

from alerts.rules import Rule, load_rules
from alerts.rules.loading import Loaded, load_file

BUILTIN = "builtin.yaml"
BUILTIN_TESTS = "builtin.tests.yaml"


@cache
def builtin_text() -> str:
    """Return the built-in pack as it is written; read once, so that later no file is needed."""
    return files(__name__).joinpath(BUILTIN).read_text(encoding="utf-8")


def builtin_rules() -> list[Rule]:
    """Return the rules of the built-in pack."""
    return load_rules(builtin_text(), BUILTIN)


def builtin_tests() -> Loaded:
    """Return the built-in pack with the test series that belong to it."""
    text = files(__name__).joinpath(BUILTIN_TESTS).read_text(encoding="utf-8")
    return load_file(text, BUILTIN_TESTS, beside=builtin_rules())
