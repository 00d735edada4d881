"""Rule packs that come with Anju."""

from functools import cache
from importlib.resources import files

import msgspec

from alerts.rules import Rule, load_rules
from alerts.rules.loading import Loaded, load_file
from alerts.scoring.truth import Subject

BUILTIN = "builtin.yaml"
BUILTIN_TESTS = "builtin.tests.yaml"
BUILTIN_SUBJECTS = "builtin.subjects.yaml"


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


@cache
def builtin_subjects() -> dict[str, Subject]:
    """Return what the alerts of each rule of the built-in pack may be about, by rule id."""
    text = files(__name__).joinpath(BUILTIN_SUBJECTS).read_text(encoding="utf-8")
    return msgspec.yaml.decode(text, type=dict[str, Subject])
