"""Writes the contract: ``python -m api.contract > docs/reference/openapi.yaml``."""

import sys

import yaml

from api.app import assemble


def as_yaml() -> str:
    """Return the OpenAPI description of the API as YAML, the same text each time."""
    return yaml.safe_dump(assemble().openapi(), sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    sys.stdout.write(as_yaml())
