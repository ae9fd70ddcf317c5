"""The contract of an engine that hears windows of speech, and of its lanes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Segment


@dataclass(frozen=True, slots=True)
class SpeechWindow:
    """Up to about 30 s of sound; the last voice in it ends after `voiced_until_s` seconds."""

    samples: Samples
    voiced_until_s: float


class Lane(Protocol):
    """Hears one pass of windows at a time; another lane may hear another pass meanwhile, in a thread of its own."""

    def detect_languages(self, heard: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        """A Whisper language code and its probability, for each window."""
        ...

    def decode(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        """Segments, each with its window's number, as soon as each is known; those of one window in order.

        Times are in seconds from the beginning of the segment's window. None says that a window is heard to its end;
        without it, each is when the pass is over.
        """
        ...


class Engine(Protocol):
    """What hears windows of speech."""

    #: As it was asked for, for people to read.
    model: str
    #: Whisper's codes of what it understands.
    known_languages: Sequence[str]
    #: What a pass is given at most.
    windows_at_once: int

    @property
    def gains_by_halves(self) -> bool:
        """Whether two halves of a window together take it less time than the whole, with half as many tokens each."""
        ...

    @property
    def lanes(self) -> "Sequence[Lane]":
        """At least one; how many passes it gains by hearing at the same time."""
        ...
