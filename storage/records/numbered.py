"""Names of rows that are numbered by the database: as text they rise as the numbers do."""

import re

_DIGITS = 12
_NAME = re.compile(r"[0-9]{12}", re.ASCII)


def id_of(number: int) -> str:
    """Return the name of row ``number``."""
    return f"{number:0{_DIGITS}}"


def number_of(name: str) -> int:
    """Undo `id_of`; 0, which is no row's number, where ``name`` is no such name."""
    return int(name) if _NAME.fullmatch(name) else 0
