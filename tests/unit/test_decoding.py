# SPDX-License-Identifier: Apache-2.0
"""What an answer may hold for each kind of value, and what is said of the rest."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.exceptions import UnexpectedResponseError
from airflow_provider_chattransfer.platforms.decoding import (
    Count,
    CountIfKnown,
    Flag,
    Id,
    IdIfKnown,
    Moment,
    NumberIfKnown,
    OptionalId,
    PhpMap,
    TextIfKnown,
    decode,
    decoded_or,
    read_count,
    read_flag,
    read_id,
    read_id_or_zero,
    read_moment,
    read_number,
    read_optional_id,
    read_php_map,
    read_token,
)

LARGEST = 2**63 - 1
WRONG_IDS = [
    True,
    False,
    112.0,
    math.inf,
    math.nan,
    -1,
    LARGEST + 1,
    int("9" * 4000),
    "9" * 5000,
    "112 ",
    "\n112",
    "1\x1b[31m2",
    "chat112",
    "1_2",
    "+1",
    "-1",
    "1.0",
    "1e3",
    "١١٢",
    "²",
    [],
    [112],
    {},
    {"id": 112},
    b"112",
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the answer below."""

    id: Id
    owner: OptionalId = None
    at: Moment | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with every kind of value."""

    rows: list[Row]
    more: Flag
    total: Count = 0
    took: NumberIfKnown = None
    last: CountIfKnown = None
    line: IdIfKnown = None
    name: TextIfKnown = None
    maps: PhpMap | None = None


class TestAnId:
    @pytest.mark.parametrize(
        ("value", "expected"), [(112, "112"), ("112", "112"), ("0112", "112"), (LARGEST, str(LARGEST))]
    )
    def test_an_id_is_a_number_or_its_digits(self, value: Any, expected: str) -> None:
        assert read_id(value) == expected
        assert read_optional_id(value) == expected

    @pytest.mark.parametrize("value", [*WRONG_IDS, None, "", 0, "0"])
    def test_nothing_else_is_an_id(self, value: Any) -> None:
        with pytest.raises(ValueError, match="no id"):
            read_id(value)

    @pytest.mark.parametrize("value", [None, "", 0, "0"])
    def test_an_id_may_be_written_as_none(self, value: Any) -> None:
        assert read_optional_id(value) is None

    @pytest.mark.parametrize("value", WRONG_IDS)
    def test_a_wrong_id_is_not_read_as_none(self, value: Any) -> None:
        with pytest.raises(ValueError, match="no id"):
            read_optional_id(value)

    @pytest.mark.parametrize(("value", "expected"), [(0, None), ("0", None), (7, "7")])
    def test_an_id_may_be_zero_for_nobody(self, value: Any, expected: str | None) -> None:
        assert read_id_or_zero(value) == expected
        for nothing in (None, "", False, 0.0):
            with pytest.raises(ValueError, match="no id"):
                read_id_or_zero(nothing)


class TestAToken:
    @pytest.mark.parametrize("value", [None, "", 7, "a b", "a\n", "a\x00", "ä", "x" * 8193, ["a"], True])
    def test_a_token_has_only_letters_that_a_header_takes(self, value: Any) -> None:
        assert read_token("aB.-_~+/=1") == "aB.-_~+/=1"
        with pytest.raises(ValueError, match="no token"):
            read_token(value)


class TestANumber:
    @pytest.mark.parametrize(("value", "expected"), [(1, 1.0), (0.5, 0.5), ("2.5", 2.5), ("1e3", 1000.0), (-3, -3.0)])
    def test_a_number_is_finite(self, value: Any, expected: float) -> None:
        assert read_number(value) == expected

    @pytest.mark.parametrize(
        "value",
        [True, None, "", "x", "nan", "inf", "1_0", "1" * 41, math.nan, math.inf, int("9" * 400), [], {}, "٣"],
    )
    def test_nothing_else_is_a_number(self, value: Any) -> None:
        with pytest.raises(ValueError, match=r"."):
            read_number(value)

    @pytest.mark.parametrize(("value", "expected"), [(0, 0), ("0", 0), ("104", 104), (LARGEST, LARGEST)])
    def test_a_count_is_a_whole_number(self, value: Any, expected: int) -> None:
        assert read_count(value) == expected

    @pytest.mark.parametrize("value", [*WRONG_IDS, None, ""])
    def test_nothing_else_is_a_count(self, value: Any) -> None:
        with pytest.raises(ValueError, match="no id"):
            read_count(value)


class TestAMoment:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("2026-03-16T20:54:38+01:00", datetime(2026, 3, 16, 20, 54, 38, tzinfo=timezone(timedelta(hours=1)))),
            ("2026-03-16T20:54:38Z", datetime(2026, 3, 16, 20, 54, 38, tzinfo=UTC)),
            ("2026-03-16T20:54:38", datetime(2026, 3, 16, 20, 54, 38, tzinfo=UTC)),
        ],
    )
    def test_a_moment_has_an_offset_or_is_in_utc(self, value: str, expected: datetime) -> None:
        assert read_moment(value) == expected

    @pytest.mark.parametrize("value", ["", "x", "99999999999-01-01T00:00:00Z", 0, 1773682918, None, True, [], {}])
    def test_nothing_else_is_a_moment(self, value: Any) -> None:
        with pytest.raises(ValueError, match=r"."):
            read_moment(value)


class TestAFlagAndAMap:
    @pytest.mark.parametrize("value", [0, 1, "true", "Y", None, []])
    def test_a_flag_has_no_other_spelling(self, value: Any) -> None:
        assert read_flag(True)
        with pytest.raises(ValueError, match="no flag"):
            read_flag(value)

    @pytest.mark.parametrize(
        ("value", "expected"), [([], {}), ({}, {}), ([True, 7], {"0": True, "1": 7}), ({"c0": None}, {"c0": None})]
    )
    def test_a_map_may_come_as_a_list(self, value: Any, expected: dict[str, Any]) -> None:
        assert read_php_map(value) == expected

    @pytest.mark.parametrize("value", [None, "text", 1, True])
    def test_a_map_is_nothing_else(self, value: Any) -> None:
        with pytest.raises(ValueError, match="no array"):
            read_php_map(value)


class TestAnAnswer:
    def test_an_answer_is_read_and_undeclared_members_are_dropped(self) -> None:
        value = {"rows": [{"id": "7", "owner": 0, "name": "Ann"}], "more": False, "took": "2", "maps": [], "x": 1}
        assert decode(value, Answer, method="m") == Answer(rows=[Row(id="7")], more=False, took=2.0, maps={})

    @pytest.mark.parametrize(
        ("value", "wrong"),
        [
            ({"rows": [{"id": "7"}, {"id": "secret name"}], "more": True}, "rows.1.id"),
            ({"rows": [{}], "more": True}, "rows.0.id"),
            ({"rows": [["secret name"]], "more": True}, "rows.0"),
            ({"rows": "secret name", "more": True}, "rows"),
            ({"rows": {"secret name": {"id": 7}}, "more": True}, "rows"),
            ({"rows": None, "more": True}, "rows"),
            ({"rows": []}, "more"),
        ],
    )
    def test_a_wrong_answer_is_an_error_that_names_the_member_and_not_its_content(self, value: Any, wrong: str) -> None:
        with pytest.raises(UnexpectedResponseError) as error:
            decode(value, Answer, method="m")
        assert str(error.value) == f"m: the answer is not as documented: {wrong} is missing or wrong"
        assert error.value.__context__ is None, "it would show what came"

    @pytest.mark.parametrize("value", [None, "secret name", 7, True, [], [["rows", []]]])
    def test_an_answer_of_another_type_is_an_error_that_says_so(self, value: Any) -> None:
        with pytest.raises(UnexpectedResponseError, match=r"m: the answer is not as documented$"):
            decode(value, Answer, method="m")

    @pytest.mark.parametrize("value", [None, "x", True, [], {}, "9" * 5000, math.inf])
    def test_an_optional_member_of_an_answer_may_be_wrong(self, value: Any) -> None:
        wrong = dict.fromkeys(("took", "last", "line"), value)
        read = decode({"rows": [], "more": True, **wrong, "name": [value]}, Answer, method="m")
        assert read == Answer(rows=[], more=True)

    def test_an_optional_answer_may_be_wrong_altogether(self) -> None:
        nothing = Answer(rows=[], more=False)
        assert decoded_or(nothing, {"rows": 7}, Answer) is nothing
        assert decoded_or(nothing, {"rows": [], "more": True}, Answer).more

    @given(JSON)
    def test_any_json_is_read_or_not_understood(self, value: Any) -> None:
        for answer in (value, {"rows": value, "more": False}, {"rows": [{"id": value, "owner": value}], "more": True}):
            with suppress(UnexpectedResponseError):
                read = decode(answer, Answer, method="m")
                assert all(0 < int(row.id) <= LARGEST for row in read.rows)
