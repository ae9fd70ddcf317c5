"""Pages of lists, and the cursors that lead from one to the next."""

import pytest

from streametrics.api.paging import number_cursor, one_page, read_number
from streametrics.errors import InvalidRequest


def test_a_cursor_leads_behind_the_page() -> None:
    assert one_page([9, 7, 5], 2, number_cursor) == ([9, 7], "n7")
    assert one_page([9, 7], 2, number_cursor) == ([9, 7], None)
    assert one_page([9, 7], 3, number_cursor) == ([9, 7], None)
    assert one_page([], 3, number_cursor) == ([], None)
    assert read_number("n7") == 7
    assert read_number(None) is None


@pytest.mark.parametrize("cursor", ["", "n", "7", "n-1", "n1.5", "n٧", "n" + "9" * 40])
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        read_number(cursor)
