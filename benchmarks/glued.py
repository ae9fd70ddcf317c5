"""Glues pieces of real meetings (QMSum) to streams, and counts how many of their borders are found."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from benchmarks import meetings
from benchmarks.late_scores import matched
from streametrics.domain.transcript import Segment
from streametrics.recap.boundaries import next_chapter
from streametrics.recap.spoken import NumberedSegment, SpokenSentence, spoken_sentences

STREAMS, PIECES = 16, 10
PIECE_WORDS = (520, 780)
SEGMENT_WORDS = 12
TOLERANCE_S = 60.0
#: Places of Pk and WindowDiff, in seconds.
_STEP_S = 4.0


@dataclass(slots=True)
class GluedFigures:
    """Counts over several glued streams; Pk and WindowDiff are means."""

    hits: int = 0
    found: int = 0
    true: int = 0
    pk: float = 0.0
    window_diff: float = 0.0
    pk_of_none: float = 0.0

    @property
    def f1(self) -> float:
        return 2 * self.hits / max(1, self.found + self.true)


def measure(half: int) -> GluedFigures:
    """Measure on streams of every second meeting, from the first or the second on. Raises MeetingsMissing."""
    figures = GluedFigures()
    names = meetings.names()[half::2]
    for seed in range(STREAMS):
        segments, borders = glued(seed, names)
        end_s = segments[-1].segment.end
        found = borders_of(spoken_sentences(segments), end_s)
        figures.hits += matched(found, borders, TOLERANCE_S)
        figures.found += len(found)
        figures.true += len(borders)
        figures.pk += pk(found, borders, end_s) / STREAMS
        figures.window_diff += window_diff(found, borders, end_s) / STREAMS
        figures.pk_of_none += pk([], borders, end_s) / STREAMS
    return figures


def glued(seed: int, names: Sequence[str]) -> tuple[list[NumberedSegment], list[float]]:
    """Make a stream of pieces of ten meetings, and tell where they meet."""
    chance = random.Random(seed)  # noqa: S311
    segments: list[NumberedSegment] = []
    borders: list[float] = []
    at_s = 0.0
    for name in chance.sample(list(names), PIECES):
        if segments:
            borders.append(at_s)
        for turn in _piece(chance, meetings.turns(name)):
            words = turn.split()
            for first in range(0, len(words), SEGMENT_WORDS):
                part = words[first : first + SEGMENT_WORDS]
                end_s = at_s + len(part) / meetings.WORDS_PER_SECOND
                segments.append(NumberedSegment(len(segments), Segment(at_s, end_s, " ".join(part))))
                at_s = end_s
    return segments, borders


def _piece(chance: random.Random, turns: Sequence[str]) -> list[str]:
    ends = list(accumulate(len(turn.split()) for turn in turns))
    wanted = chance.randint(*PIECE_WORDS)
    starts = [index for index, end in enumerate(ends) if end < max(1, ends[-1] - PIECE_WORDS[1])] or [0]
    first = chance.choice(starts)
    before = ends[first - 1] if first else 0
    return [turn for turn, end in zip(turns[first:], ends[first:], strict=True) if end - before < wanted + 20]


def borders_of(sentences: Sequence[SpokenSentence], reached_s: float) -> list[float]:
    """Find all borders by words alone."""
    found = [0.0]
    while True:
        open_chapter = [sentence for sentence in sentences if sentence.start_s >= found[-1]]
        border = next_chapter(open_chapter, start_s=found[-1], reached_s=reached_s)
        if border is None:
            return found[1:]
        found.append(border.at_s)


def pk(found: Sequence[float], true: Sequence[float], end_s: float) -> float:
    """How often two places, half a chapter apart, are wrongly said to be in one chapter or in two (Beeferman 1999)."""
    return _wrong(found, true, end_s, lambda a, b: (a == 0) != (b == 0))


def window_diff(found: Sequence[float], true: Sequence[float], end_s: float) -> float:
    """How often the number of borders between two such places is wrong (Pevzner and Hearst 2002)."""
    return _wrong(found, true, end_s, lambda a, b: a != b)


def _wrong(found: Sequence[float], true: Sequence[float], end_s: float, differ: Callable[[int, int], bool]) -> float:
    half_s = end_s / (len(true) + 1) / 2
    places = [number * _STEP_S for number in range(int((end_s - half_s) // _STEP_S))]
    between = [
        tuple(sum(at_s < border <= at_s + half_s for border in borders) for borders in (found, true)) for at_s in places
    ]
    return sum(differ(a, b) for a, b in between) / max(1, len(places))
