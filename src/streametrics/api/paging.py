"""Pages of lists: what is shown of what was read, and cursors, which say where the next page begins."""

import base64
import json
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from streametrics.database.jobs import Place
from streametrics.errors import InvalidRequest

Item = TypeVar("Item")

_NOT_OURS = "'cursor' is none that this service gave out: leave it away for the first page."


def one_page(
    found: Sequence[Item], limit: int, cursor_behind: Callable[[Item], str]
) -> tuple[Sequence[Item], str | None]:
    """Take the page, and the cursor of the next one; None where this is the last.

    found: one more than is shown, where there are as many: so it is known whether there is a next page.
    """
    page = found[:limit]
    return page, cursor_behind(page[-1]) if len(found) > limit else None


def place_cursor(place: Place) -> str:
    """Make the cursor of what stands behind a place in a list by age."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_place(cursor: str) -> Place:
    """Read such a cursor. Raises InvalidRequest."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        match found:
            case [float() | int() as at, str() as item_id] if math.isfinite(at) and _is_plain(item_id):
                return Place(float(at), item_id)
    except (ValueError, RecursionError, OverflowError):
        pass
    raise InvalidRequest(_NOT_OURS)


def number_cursor(number: int) -> str:
    """Make the cursor of what stands behind a number in a list that begins with the highest."""
    return f"n{number}"


def read_number(cursor: str | None) -> int | None:
    """Read such a cursor. Raises InvalidRequest."""
    if cursor is None:
        return None
    digits = cursor.removeprefix("n")
    if not cursor.startswith("n") or not (digits.isascii() and digits.isdigit()) or int(digits) >= 1 << 62:
        raise InvalidRequest(_NOT_OURS)
    return int(digits)


def _is_plain(item_id: str) -> bool:
    return len(item_id) <= 36 and item_id.isascii() and item_id.isprintable()
