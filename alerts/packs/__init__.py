"""Rule packs that come with Anju."""

from importlib.resources import files

from alerts.rules import Rule, load_rules

BUILTIN = "builtin.yaml"


def builtin_rules() -> list[Rule]:
    """Return the rules of the built-in pack."""
    return load_rules(files(__name__).joinpath(BUILTIN).read_text(encoding="utf-8"), BUILTIN)
