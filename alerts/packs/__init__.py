"""Rule packs that come with Anju."""

from functools import cache
from importlib.resources import files
from itertools import chain

import msgspec

from alerts.rules import Rule
from alerts.rules.loading import Loaded, check_file, load_file
from alerts.scoring.truth import Subject

BUILTIN = ("elevator_rescue", "elevator", "elevator_condition", "gate", "gateway", "thermal")
"""The files of the built-in pack, in the order of their rules; each has its test series beside it."""


@cache
def builtin_texts() -> dict[str, str]:
    """Return the files of the built-in pack as they are written; read once, so that later no file is needed."""
    return {f"{name}.yaml": _text(f"{name}.yaml") for name in BUILTIN}


def builtin_pack() -> Loaded:
    """Return the built-in pack as if it were one file."""
    loaded = [check_file(text, name) for name, text in builtin_texts().items()]
    return Loaded(
        rules=[rule for one in loaded for rule in one.rules],
        written=[text for one in loaded for text in one.written],
        rule_lines=[line for one in loaded for line in one.rule_lines],
        tests=[],
        test_lines=[],
        mistakes=[mistake for one in loaded for mistake in one.mistakes],
    )


def builtin_rules() -> list[Rule]:
    """Return the rules of the built-in pack; raises `RuleError`."""
    return list(chain.from_iterable(load_file(text, name).rules for name, text in builtin_texts().items()))


def builtin_tests() -> Loaded:
    """Return the built-in pack with the test series that belong to it."""
    rules, names = builtin_rules(), [f"{name}.tests.yaml" for name in BUILTIN]
    loaded = [load_file(_text(name), name, beside=rules) for name in names]
    return msgspec.structs.replace(
        builtin_pack(),
        tests=[test for one in loaded for test in one.tests],
        test_lines=[line for one in loaded for line in one.test_lines],
    )


@cache
def builtin_subjects() -> dict[str, Subject]:
    """Return what the alerts of each rule of the built-in pack may be about, by rule id."""
    return msgspec.yaml.decode(_text("subjects.yaml"), type=dict[str, Subject])


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
