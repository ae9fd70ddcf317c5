"""What counts as a chunk's time, and what is only kept."""

import pytest

from streametrics.streams.times import Clock, Reading, read_time


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("00:01:30", Reading(Clock.OFFSET, 90.0)),
        (" 12:00:00.5 ", Reading(Clock.OFFSET, 43_200.5)),
        ("123:59:59", Reading(Clock.OFFSET, 446_399.0)),
        ("1780000000000", Reading(Clock.WALL, 1_780_000_000.0)),
        ("1780000000500.25", Reading(Clock.WALL, 1_780_000_000.50025)),
    ],
)
def test_offsets_and_epoch_milliseconds_are_read(raw: str, read: Reading) -> None:
    assert read_time(raw) == read


@pytest.mark.parametrize(
    "raw",
    ["", "now", "90", "1:30", "00:61:00", "00:00:60", "-00:01:00", "1780000000", "99999999999999", "٠٠:٠١:٣٠", "nan"],
)
def test_anything_else_is_no_time(raw: str) -> None:
    assert read_time(raw) is None
