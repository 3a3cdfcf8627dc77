# SPDX-License-Identifier: Apache-2.0
"""When a list that comes in pages is said not to end."""

from __future__ import annotations

import pytest

from airflow_provider_chattransfer.exceptions import UnexpectedResponseError
from airflow_provider_chattransfer.platforms.paging import Paging


def test_a_list_goes_on_while_each_page_has_a_new_row() -> None:
    paging = Paging(method="m", most=10)
    for page in (["1", "2"], ["2", "3"], ["4"]):
        paging.note_page(page)


@pytest.mark.parametrize("page", [[], ["1"], ["2", "1", "2"]])
def test_a_page_without_a_new_row_is_not_followed(page: list[str]) -> None:
    paging = Paging(method="m", most=10)
    paging.note_page(["1", "2"])
    with pytest.raises(UnexpectedResponseError, match="m: the list does not go on behind its last row"):
        paging.note_page(page)


def test_a_first_page_without_rows_is_not_followed() -> None:
    with pytest.raises(UnexpectedResponseError):
        Paging(method="m", most=10).note_page([])


def test_a_list_of_ever_new_rows_has_an_end() -> None:
    paging = Paging(method="m", most=10)
    for number in range(9):
        paging.note_page([str(number)])
    with pytest.raises(UnexpectedResponseError, match="within 10 rows"):
        paging.note_page(["9"])
