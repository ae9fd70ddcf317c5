"""Divides what was said in a stream into sentences, each with its place: what chapters and recaps are made of."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from typing import NamedTuple

from streametrics.domain.transcript import Segment
from streametrics.text import sentences
from streametrics.text.pieces import UNSPACED, clauses, fits, pieces

#: A sentence goes on in the next segment after no longer a pause than this, and lasts no longer than that.
LONGEST_PAUSE_S, LONGEST_JOINED_S = 2.0, 15.0


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


def spoken_sentences(segments: Iterable[NumberedSegment]) -> list[SpokenSentence]:
    """Divide segments, in the order of their time, into sentences; one that goes on in the next segment is one.

    One that would be too long is divided between clauses, or else between segments. What has no letter and no digit is
    left out. What begins LONGEST_JOINED_S before the end stays as it is when more is said.
    """
    found: list[SpokenSentence] = []
    unfinished: list[_Part] = []
    for numbered in sorted(segments, key=lambda each: (each.segment.start, each.number)):
        for position, part in enumerate(_divided(numbered)):
            if unfinished and position == 0 and _goes_on(unfinished, part):
                unfinished.append(part)
                found += map(_whole, _cut_off(unfinished))
            else:
                found += [_whole(unfinished)] if unfinished else []
                unfinished = [part]
    found += [_whole(unfinished)] if unfinished else []
    return [sentence for sentence in found if any(map(str.isalnum, sentence.text))]


class _Part(NamedTuple):
    """A part of a sentence that lies in one segment, with the letters of the segment before and in it."""

    text: str
    clock: "_Clock"
    first: int
    end: int
    number: int
    language: str | None

    def divided(self, letters: int) -> tuple["_Part", "_Part"]:
        """Divide it behind so many letters."""
        place, left = 0, letters
        while left:
            left -= not self.text[place].isspace()
            place += 1
        middle = self.first + letters
        return (
            self._replace(text=self.text[:place].strip(), end=middle),
            self._replace(text=self.text[place:].strip(), first=middle),
        )


def _goes_on(unfinished: Sequence[_Part], part: _Part) -> bool:
    """Tell whether a part may be the end of what was said: no mark, no pause, no other language between."""
    first, last = unfinished[0], unfinished[-1]
    start_s, end_s = first.clock.start_s(first.first), part.clock.end_s(part.end)
    return (
        not sentences.ends(last.text)
        and part.clock.start_s(part.first) - last.clock.end_s(last.end) <= LONGEST_PAUSE_S
        and end_s - start_s <= LONGEST_JOINED_S
        and first.language == part.language
    )


def _cut_off(unfinished: list[_Part]) -> Iterator[list[_Part]]:
    """Cut off what makes a sentence too long: up to a clause's end, or else up to the last segment's beginning."""
    text = _text(unfinished)
    if fits(text):
        return
    begin = next(iter(pieces(text)))
    at_clause = begin in accumulate(clauses(text), _joined)
    letters = _letters(begin if at_clause else _text(unfinished[:-1]))
    cut: list[_Part] = []
    while letters:
        part = unfinished.pop(0)
        if part.end - part.first > letters:
            part, rest = part.divided(letters)
            unfinished.insert(0, rest)
        letters -= part.end - part.first
        cut.append(part)
    yield cut
    yield from _cut_off(unfinished)


def _text(parts: Iterable[_Part]) -> str:
    return reduce(_joined, (part.text for part in parts))


def _whole(parts: Sequence[_Part]) -> SpokenSentence:
    first = parts[0]
    return SpokenSentence(
        _text(parts),
        first.clock.start_s(first.first),
        max(part.clock.end_s(part.end) for part in parts),
        min(part.number for part in parts),
        max(part.number for part in parts),
        first.language,
    )


def _joined(text: str, later: str) -> str:
    unspaced = UNSPACED.match(text[-1:]) is not None and UNSPACED.match(later) is not None
    return f"{text}{later}" if unspaced else f"{text} {later}"


def _divided(numbered: NumberedSegment) -> Iterator[_Part]:
    number, segment = numbered
    clock = _Clock(segment)
    place = 0
    for sentence in sentences.split(" ".join(segment.text.split())):
        for piece in pieces(sentence):
            first, place = place, place + _letters(piece)
            yield _Part(piece, clock, first, place, number, segment.language)


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
