"""Divides what was said in a stream into sentences, each with its place: what chapters and recaps are made of."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from streametrics.domain.transcript import Segment
from streametrics.text import sentences
from streametrics.text.pieces import UNSPACED, fits, pieces

#: A sentence goes on in the next segment after no longer a pause than this.
LONGEST_PAUSE_S = 2.0


class NumberedSegment(NamedTuple):
    """A segment on its stream's timeline, and its number there."""

    number: int
    segment: Segment


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence, when it was said in seconds of the stream, and the segments from which it comes, inclusive."""

    text: str
    start_s: float
    end_s: float
    first_segment: int
    last_segment: int
    language: str | None = None

    def goes_on_in(self, later: "SpokenSentence") -> bool:
        """Tell whether the later one may be this one's end: no mark, no pause, no other language between."""
        return (
            not sentences.ends(self.text)
            and later.start_s - self.end_s <= LONGEST_PAUSE_S
            and self.language == later.language
            and fits(_joined(self.text, later.text))
        )

    def joined_with(self, later: "SpokenSentence") -> "SpokenSentence":
        return SpokenSentence(
            _joined(self.text, later.text),
            min(self.start_s, later.start_s),
            max(self.end_s, later.end_s),
            min(self.first_segment, later.first_segment),
            max(self.last_segment, later.last_segment),
            self.language,
        )


def spoken_sentences(segments: Iterable[NumberedSegment]) -> list[SpokenSentence]:
    """Divide segments, in the order of their time, into sentences; one that goes on in the next segment is one.

    One that would be too long is divided, between segments where that is possible. What has no letter and no digit is
    left out. All but the last sentence, and what was said in the last LONGEST_PAUSE_S, stay as they are when more is
    said.
    """
    found: list[SpokenSentence] = []
    for numbered in sorted(segments, key=lambda each: (each.segment.start, each.number)):
        for position, sentence in enumerate(_divided(numbered)):
            if position == 0 and found and found[-1].goes_on_in(sentence):
                found[-1] = found[-1].joined_with(sentence)
            else:
                found.append(sentence)
    return [sentence for sentence in found if any(map(str.isalnum, sentence.text))]


def _joined(text: str, later: str) -> str:
    unspaced = UNSPACED.match(text[-1:]) is not None and UNSPACED.match(later) is not None
    return f"{text}{later}" if unspaced else f"{text} {later}"


def _divided(numbered: NumberedSegment) -> Iterator[SpokenSentence]:
    number, segment = numbered
    clock = _Clock(segment)
    place = 0
    for sentence in sentences.split(" ".join(segment.text.split())):
        for piece in pieces(sentence):
            first, place = place, place + _letters(piece)
            yield SpokenSentence(piece, clock.start_s(first), clock.end_s(place), number, number, segment.language)


class _Clock:
    """Says when the letters of a segment were said: by its words, and evenly over it where they are not known."""

    def __init__(self, segment: Segment) -> None:
        self._start_s, self._end_s = segment.start, max(segment.start, segment.end)
        self._letters = max(1, _letters(segment.text))
        words = [word for word in segment.words if word.text.strip()]
        self._ends = list(accumulate(_letters(word.text) for word in words))
        self._words = words if self._ends and self._ends[-1] == self._letters else []

    def start_s(self, place: int) -> float:
        if self._words:
            return self._within(self._words[min(bisect_right(self._ends, place), len(self._words) - 1)].start)
        return self._evenly(place)

    def end_s(self, place: int) -> float:
        if self._words:
            return self._within(self._words[min(bisect_left(self._ends, place), len(self._words) - 1)].end)
        return self._evenly(place)

    def _evenly(self, place: int) -> float:
        return self._within(round(self._start_s + (self._end_s - self._start_s) * place / self._letters, 3))

    def _within(self, at_s: float) -> float:
        return min(self._end_s, max(self._start_s, at_s))


def _letters(text: str) -> int:
    return sum(len(part) for part in text.split())
