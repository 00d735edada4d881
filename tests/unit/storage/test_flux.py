"""Flux literals and answers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TemporaryError
from storage.telemetry.flux import literal
from storage.telemetry.flux_answer import parse
from storage.telemetry.selection import Found

HEAD = (
    "#datatype,string,long,string,string,dateTime:RFC3339,{kind},string\r\n"
    ",result,table,_field,_measurement,_time,{column},part\r\n"
)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_literal_is_nothing_but_plain_characters_and_byte_escapes(text: str) -> None:
    made = literal(text)
    assert re.fullmatch(r'"(?:[A-Za-z0-9_-]|\\x[0-9a-f]{2})*"', made)
    assert made[1:-1].encode("ascii").decode("unicode_escape").encode("latin-1").decode() == text


@pytest.mark.parametrize(
    ("kind", "column", "written", "value"),
    [
        ("double", "_value", "1.5", 1.5),
        ("long", "_value", "-3", -3),
        ("boolean", "_value", "true", True),
        ("boolean", "_value", "false", False),
        ("string", "_value", '"a ""b"", c"', 'a "b", c'),
        ("string", "_json", '"""a\\r\\nb"""', "a\r\nb"),
        ("string", "_value", "", ""),
    ],
)
def test_values_of_every_type(kind: str, column: str, written: str, value: object) -> None:
    answer = (
        HEAD.format(kind=kind, column=column) + f",,0,floor,elevator,2026-08-14T15:02:26.000000001Z,{written},a\r\n\r\n"
    )
    assert list(parse(answer)) == [Found("elevator", "a", "floor", 1_786_719_746_000_000_001, value)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.5Z", 500_000_000),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2262-04-11T23:47:16.854775806Z", 2**63 - 2),
    ],
)
def test_instants_keep_their_nanoseconds(written: str, nanoseconds: int) -> None:
    answer = HEAD.format(kind="long", column="_value") + f",,0,seq,elevator,{written},1,\r\n\r\n"
    assert [found.at_nanoseconds for found in parse(answer)] == [nanoseconds]


def test_an_error_in_the_middle_of_an_answer_is_one() -> None:
    rows = HEAD.format(kind="long", column="_value") + ",,0,seq,elevator,1970-01-01T00:00:00Z,1,\r\n\r\n"
    found = parse(rows + "#datatype,string,string\r\n,error,reference\r\n,the engine is closed,897\r\n")
    next(found)
    with pytest.raises(TemporaryError, match="the engine is closed"):
        next(found)


def test_an_empty_answer_holds_nothing() -> None:
    assert list(parse("\r\n")) == []
