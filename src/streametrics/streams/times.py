"""Reads a chunk's `time`: where it begins, on the broadcast's clock or on the wall's."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Clock(StrEnum):
    """By what the chunks of a stream are placed."""

    WALL = "wall"  #: seconds since 1970, by the client
    OFFSET = "offset"  #: seconds since the broadcast began
    ARRIVAL = "arrival"  #: no time that counts was sent: when chunks came


@dataclass(frozen=True, slots=True)
class Reading:
    """A time that was sent: in seconds since 1970, or since the broadcast began."""

    clock: Clock
    seconds: float


_OFFSET = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9](?:[.,][0-9]{1,6})?)", re.ASCII)
_EPOCH_MS = re.compile(r"[0-9]{12,14}(?:\.[0-9]{1,6})?", re.ASCII)
#: 2001 to 2100, in milliseconds: what is outside counts something else.
_FIRST_MS, _LAST_MS = 978_307_200_000, 4_102_444_800_000


def read_time(raw: str) -> Reading | None:
    """Read `HH:MM:SS` or epoch milliseconds; None for anything else, which is kept and counts as no time."""
    text = raw.strip()
    if found := _OFFSET.fullmatch(text):
        hours, minutes, seconds = found.groups()
        return Reading(Clock.OFFSET, int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", ".")))
    if _EPOCH_MS.fullmatch(text) and _FIRST_MS <= float(text) <= _LAST_MS:
        return Reading(Clock.WALL, float(text) / 1000)
    return None
