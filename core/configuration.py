"""A version of the rules or of a plan that was in force: a start goes on with it when the files at hand are broken."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

RULES = "rules"
PLAN = "plan"
EMERGENCY = "emergency"


class GoodConfiguration(Struct, frozen=True):
    """The texts of all files of one ``kind`` by name, and since when they are known to be good.

    Holds no secrets: plans name environment variables in their place.
    """

    kind: str
    texts: Mapping[str, str]
    at: datetime

    @property
    def digest(self) -> str:
        """Return what differs between two versions, whoever read them and in whatever order."""
        return hashlib.sha256(msgspec.json.encode(dict(self.texts), order="sorted")).hexdigest()
