# SPDX-License-Identifier: Apache-2.0
"""One reader for each kind of value that users, connections and templates give."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.inputs import (
    MAX_ID,
    MAX_SHOWN_LETTERS,
    as_id,
    as_number,
    as_seconds,
    as_switch,
    as_whole_number,
    shown,
)

DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


class Whole(int):
    """A whole number of another library, which tells of itself in its own words."""

    def __str__(self) -> str:
        return f"number {int(self)}\n"


class Told:
    """Something of a user's that is shown by its own words."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __repr__(self) -> str:
        return self.words


NO_NUMBERS: list[Any] = [
    "nan", "inf", "-inf", "1e999", "", " ", "fast", "1_000", "٣", "0x10", True, False, None, [], {}, [1], b"1",
    math.nan, math.inf, -math.inf, 10**400, "9" * 5000, 10**5000, timedelta.max, DEEP, object(),
    "{{ params.x }}", "{% if x %}1{% endif %}", 1e300, -1, "-1", Decimal("sNaN"), Decimal("Infinity"), 1j,
    "{{ x }}" * 100, "x" * 10_000, "\x1b[31m" * 100, "\u0663" * 400,
]  # fmt: skip

READERS: dict[str, Any] = {
    "as_number": lambda value: as_number(value, of="option", least=0, most=1e6),
    "as_whole_number": lambda value: as_whole_number(value, of="option", least=0, most=10**6),
    "as_seconds": lambda value: as_seconds(value, of="option", least=0, most=1e6),
    "as_id": lambda value: as_id(value, of="option"),
    "as_switch": lambda value: as_switch(value, of="option"),
}


class TestWhatIsNoValue:
    @pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: str(type(value).__name__))
    @pytest.mark.parametrize("reader", READERS)
    def test_an_invalid_value_is_refused_by_name_in_few_letters(self, reader: str, value: Any) -> None:
        if reader == "as_switch" and isinstance(value, bool):
            return
        with pytest.raises(ValueError, match=r"^option: ") as refused:
            READERS[reader](value)
        assert len(str(refused.value)) < 300

    @given(value=st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.none(), st.lists(st.integers())))
    def test_any_input_is_a_finite_number_within_limits_or_a_value_error(self, value: Any) -> None:
        for reader in (READERS["as_number"], READERS["as_seconds"]):
            try:
                number = reader(value)
            except ValueError:
                continue
            assert math.isfinite(number)
            assert 0 <= number <= 1e6


class TestASwitch:
    @pytest.mark.parametrize(("written", "meant"), [
        (True, True), (False, False), ("true", True), ("False", False), ("YES", True), ("no", False), ("1", True),
        ("0", False), (1, True), (0, False), (" true ", True),
    ])  # fmt: skip
    def test_a_switch_is_read_as_it_is_meant(self, written: Any, meant: bool) -> None:
        assert as_switch(written, of="dry_run") is meant

    @pytest.mark.parametrize("written", ["", "maybe", "on", "2", 2, 1.0, None, [], "{{ params.dry }}"])
    def test_nothing_else_is_a_switch(self, written: Any) -> None:
        with pytest.raises(ValueError, match=r"^dry_run: "):
            as_switch(written, of="dry_run")


class TestATime:
    @pytest.mark.parametrize(("written", "seconds"), [
        (15, 15.0), (1.5, 1.5), ("15", 15.0), ("1.5", 1.5), ("1e2", 100.0), (timedelta(minutes=15), 900.0),
        (Decimal("1.5"), 1.5), (Fraction(1, 2), 0.5),
        ("PT15M", 900.0), ("PT1H30M", 5400.0), ("P1DT12H", 129_600.0), ("P1W", 604_800.0), ("pt0.5s", 0.5),
    ])  # fmt: skip
    def test_a_time_is_seconds_a_timedelta_or_iso_8601(self, written: Any, seconds: float) -> None:
        assert as_seconds(written, of="accept_within", least=0, most=1e9) == seconds

    @pytest.mark.parametrize(
        "written", ["P", "PT", "P1Y", "P1M", "15 minutes", "PT15", "PT99999999999999999H", "-PT5M"]
    )
    def test_nothing_else_is_a_time(self, written: str) -> None:
        with pytest.raises(ValueError, match=r"^accept_within: "):
            as_seconds(written, of="accept_within", least=0, most=1e9)


class TestAnId:
    @pytest.mark.parametrize(
        ("written", "read"), [(1, "1"), ("007", "7"), (" 12 ", "12"), (MAX_ID, str(MAX_ID)), (Whole(7), "7")]
    )
    def test_an_id_is_read_as_its_decimal_string(self, written: Any, read: str) -> None:
        assert as_id(written, of="chat_id") == read

    @pytest.mark.parametrize("written", [0, "0", MAX_ID + 1, str(MAX_ID + 1), "1.0", 1.0, "+1", "1 2"])
    def test_nothing_else_is_an_id(self, written: Any) -> None:
        with pytest.raises(ValueError, match=r"^chat_id: "):
            as_id(written, of="chat_id")


class TestAWrongValueInAnError:
    def test_a_wrong_value_in_an_error_is_cut_so_that_an_error_has_below_300_letters(self) -> None:
        assert len(shown("x" * 10**6)) == MAX_SHOWN_LETTERS + 1
        assert len(shown(list(range(10**4)))) == MAX_SHOWN_LETTERS + 1

    @pytest.mark.parametrize("value", [Told("a\nb\x1b[31m\u202e"), [Told("\r")], {Told("\x00"): 1}, "\n\x1b\ud800"])
    def test_a_wrong_value_in_an_error_has_no_control_characters_whatever_tells_of_itself(self, value: object) -> None:
        assert shown(value).isprintable()

    def test_a_wrong_value_in_an_error_is_named_by_its_type_when_it_cannot_be_shown(self) -> None:
        assert shown(10**5000) == "a value of type int"
        assert shown(DEEP) == "a value of type list"
