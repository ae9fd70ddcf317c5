"""Describes the sound tracks of a file, and how one is asked for. No heavy imports: API process and sandbox use it."""

import re
from dataclasses import dataclass, field, replace
from typing import Any, Self

#: What may be asked for beside a number: the track that holds a voice, or all of them mixed.
AUTO, MIX = "auto", "mix"
#: What a player plays: its one track, the channels mixed. Only programs ask for it.
PLAIN = "plain"
#: No file has more; a player's menu counts from 1.
MAX_TRACK = 99

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
#: Programs write these where a title would stand.
_NO_TITLE = re.compile(r"sound ?handler|sound ?media ?handler|core media.*|iso media file.*|audio ?handler|soun|sound")
_LONGEST_TITLE, _LONGEST_CODEC = 40, 20
#: Of a tag, so much is looked at: a file may hold megabytes of it.
LONGEST_TAG = 500
#: So many tracks are named in a sentence.
_MOST_NAMED = 10


def parse_track(text: str) -> str:
    """Parse a track that is asked for, to `auto`, `mix` or a number from 1. Raises ValueError with a sentence."""
    wanted = text.strip().casefold()
    if wanted in (AUTO, MIX):
        return wanted
    if wanted.isascii() and wanted.isdecimal() and len(wanted) <= 4 and 1 <= int(wanted) <= MAX_TRACK:
        return str(int(wanted))
    raise ValueError(f"a track is a number from 1 to {MAX_TRACK}, 'auto' (the one that holds a voice) or 'mix' (all)")


@dataclass(frozen=True, slots=True)
class Track:
    """One sound track. number: from 1, in the file's order. Title and language are made harmless for any reader.

    channels: the channels that are decoded, each apart, by FFmpeg's names; empty for a track that is not decoded; one
    channel, `mix`, where the channels are mixed. is_default: the one that a player takes.
    """

    number: int
    codec: str
    channels: tuple[str, ...] = ()
    title: str = ""
    language: str = ""
    is_default: bool = False
    is_accepted: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "codec": self.codec,
            "channels": list(self.channels),
            "title": self.title,
            "language": self.language,
            "is_default": self.is_default,
            "is_accepted": self.is_accepted,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what the decoding child says of a track; its words are a stranger's."""
        return cls(
            number=int(value["number"]),
            codec=codec_name(value["codec"]),
            channels=tuple(str(channel) for channel in value["channels"]),
            title=_title(str(value["title"])),
            language=_language(str(value["language"])),
            is_default=bool(value["is_default"]),
            is_accepted=bool(value["is_accepted"]),
        )

    def with_channels(self, channels: tuple[str, ...]) -> "Track":
        return replace(self, channels=channels)

    @property
    def description(self) -> str:
        """Describe it for people: `2 ("Mic", en)`."""
        details = [f'"{self.title}"'] if self.title else []
        details += [self.language] if self.language else []
        details += [] if self.is_accepted else [f"in the format {self.codec}, which is not read"]
        return f"{self.number} ({', '.join(details)})" if details else str(self.number)


@dataclass(frozen=True, slots=True)
class TrackList:
    """The sound tracks of a file, in its order."""

    tracks: tuple[Track, ...] = field(default=())

    @property
    def description(self) -> str:
        """Describe them for people, many not all: `2 sound tracks: 1 ("Game"), 2 ("Mic", en)`."""
        if len(self.tracks) == 1:
            return f"1 sound track: {self.tracks[0].description}"
        named = [track.description for track in self.tracks[:_MOST_NAMED]]
        named += [f"{len(self.tracks) - len(named)} more"] if len(self.tracks) > len(named) else []
        return f"{len(self.tracks)} sound tracks: {', '.join(named)}"


def codec_name(text: object) -> str:
    """Reduce the name of a codec to what FFmpeg's own names are made of."""
    return re.sub(r"[^A-Za-z0-9_.-]", "", str(text))[:_LONGEST_CODEC] or "unknown"


def _title(text: str) -> str:
    """Make a title harmless: printable, on one line, short, without quotes; empty for what programs write there."""
    printable = "".join(letter if letter.isprintable() and letter not in '"<>' else " " for letter in text)
    title = " ".join(printable.split())
    if _NO_TITLE.fullmatch(title.casefold()):
        return ""
    return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1].rstrip() + "…"


def _language(text: str) -> str:
    return text if _LANGUAGE.fullmatch(text) and text.casefold() not in ("und", "mis", "mul", "zxx") else ""
