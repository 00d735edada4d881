"""What drivers say is passed on as one line: commands, logs and `/readyz` show it so."""

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from core.errors import TemporaryError
from storage.records.database import library_errors


def test_what_a_driver_says_in_several_lines_is_one() -> None:
    said = psycopg.OperationalError("connection failed: refused\n\tIs the server running on that host?\n")
    with pytest.raises(TemporaryError) as raised, library_errors():
        raise OperationalError("SELECT 1", {}, said)
    assert str(raised.value) == "records database: connection failed: refused Is the server running on that host?"
