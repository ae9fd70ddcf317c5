"""Reads since when a recap is asked for: an instant, a place in the broadcast, or how long ago."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

#: Numbers from here on are milliseconds since 1970, and from the other one on seconds: 1973 in both.
_LEAST_MS, _LEAST_S = 1e11, 1e8
_NUMBER = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,6})?")
_AGO = re.compile(r"(?=[0-9])(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?")
_OFFSET = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])")
#: A plus that nobody has escaped comes as a space.
_BARE_PLUS = re.compile(r" (?=[0-9]{2}:[0-9]{2}$)")


class SinceKind(StrEnum):
    """What a point in time counts from."""

    INSTANT = "instant"  #: 1970
    OFFSET = "offset"  #: the broadcast's beginning
    AGO = "ago"  #: back from the end of what was heard


@dataclass(frozen=True, slots=True)
class Since:
    """A point in time, in seconds."""

    kind: SinceKind
    seconds: float


def read_since(text: str) -> Since | None:
    """Read RFC 3339, seconds or milliseconds since 1970, HH:MM:SS, or 1h20m30s; None where it is none of them."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number < _LEAST_S:
            return None
        return Since(SinceKind.INSTANT, number / 1000 if number >= _LEAST_MS else number)
    if found := _OFFSET.fullmatch(text):
        hours, minutes, seconds = map(int, found.groups())
        return Since(SinceKind.OFFSET, float(hours * 3600 + minutes * 60 + seconds))
    if found := _AGO.fullmatch(text.lower()):
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return Since(SinceKind.AGO, float(hours * 3600 + minutes * 60 + seconds))
    return _read_instant(_BARE_PLUS.sub("+", text))


def _read_instant(text: str) -> Since | None:
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", text):
        return None
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            return None
        return Since(SinceKind.INSTANT, instant.astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        return None
