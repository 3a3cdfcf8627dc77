# SPDX-License-Identifier: Apache-2.0
"""How many requests are under way at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.platforms.width import SLOWED_DOWN, Width


def after(width: Width, number: int, *, seconds: float = 1.0, kind: str = "read", trouble: bool = False) -> int:
    """Return the width after so many requests."""
    for _ in range(number):
        width.note(seconds=seconds, kind=kind, trouble=trouble)
    return width.now


class TestTheWidth:
    def test_the_width_begins_with_one_and_grows_with_each_answer(self) -> None:
        width = Width(16)
        assert width.now == 1
        assert after(width, 3) == 4

    def test_the_width_is_never_more_than_the_most(self) -> None:
        assert after(Width(8), 100) == 8

    def test_the_width_is_halved_by_trouble_and_is_never_less_than_one(self) -> None:
        width = Width(16)
        after(width, 15)
        assert after(width, 1, trouble=True) == 8
        assert after(width, 10, trouble=True) == 1

    def test_the_width_grows_once_a_round_after_trouble(self) -> None:
        width = Width(16)
        after(width, 15)
        after(width, 1, trouble=True)
        assert after(width, 7) == 8
        assert after(width, 1) == 9

    def test_the_width_does_not_grow_where_more_at_once_only_take_longer(self) -> None:
        width = Width(16)
        after(width, 1, seconds=1.0)
        assert after(width, 20, seconds=SLOWED_DOWN + 0.1) == 2

    def test_the_width_compares_requests_of_one_kind(self) -> None:
        width = Width(16)
        after(width, 1, seconds=0.1, kind="read")
        assert after(width, 3, seconds=5.0, kind="send") == 5

    @given(
        most=st.integers(1, 64),
        requests=st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["read", "send"]), st.booleans())),
    )
    def test_the_width_stays_between_one_and_the_most(self, most: int, requests: list[tuple[float, str, bool]]) -> None:
        width = Width(most)
        for seconds, kind, trouble in requests:
            width.note(seconds=seconds, kind=kind, trouble=trouble)
            assert 1 <= width.now <= most
