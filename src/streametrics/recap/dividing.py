"""Divides what was said into chapters: a live stream as far as that is certain, a recording to its end."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streametrics.domain.transcript import Transcript
from streametrics.recap.boundaries import Boundary, Mark, next_chapter
from streametrics.recap.chapters import Chapter
from streametrics.recap.composing import BEFORE_S, chapter_of
from streametrics.recap.spoken import NumberedSegment, SpokenSentence, spoken_sentences


class ClosedStretch(NamedTuple):
    """What is said in a chapter that is over: where it begins, and why; before where it ends; why the next begins."""

    begins: Mark
    end_s: float
    inside: list[SpokenSentence]
    next_why: Boundary


def in_order(said: list[SpokenSentence]) -> list[SpokenSentence]:
    """Order sentences by their time: of two clients that send one stream, what was said at once is in two segments."""
    return sorted(said, key=lambda sentence: sentence.start_s)


def divided(
    said: Sequence[SpokenSentence], begins: Mark, *, reached_s: float, is_over: bool, marks: Sequence[Mark] = ()
) -> Iterator[ClosedStretch]:
    """Divide sentences, in order, into the chapters that are over. begins: the first one; marks: see `next_chapter`.

    A chapter's length counts from its first words, and a stretch without words is no chapter of its own. is_over:
    nothing more will be said, so the last one is over too.
    """
    rest = list(said)
    while rest:
        first_s = rest[0].start_s
        behind = [mark for mark in marks if mark.at_s > first_s]
        found = next_chapter(rest, start_s=first_s, reached_s=reached_s, marks=behind)
        if found is None:
            if is_over:
                yield ClosedStretch(begins, max(reached_s, rest[-1].end_s), rest, Boundary.GAP)
            return
        inside = [sentence for sentence in rest if sentence.start_s < found.at_s]
        yield ClosedStretch(begins, found.at_s, inside, found.why)
        rest, begins = rest[len(inside) :], found


def chapters_of(transcript: Transcript, *, end_s: float) -> list[Chapter]:
    """Divide a recording of this length."""
    numbered = (NumberedSegment(at, segment) for at, segment in enumerate(transcript.segments) if segment.text)
    said = in_order(spoken_sentences(numbered))
    found = divided(said, Mark(0.0, Boundary.START), reached_s=end_s, is_over=True)
    chapters: list[Chapter] = []
    for begins, chapter_end_s, inside, _ in found:
        before = [each for each in said if begins.at_s - BEFORE_S <= each.start_s < begins.at_s]
        chapters.append(chapter_of(len(chapters) + 1, begins.at_s, chapter_end_s, begins.why, inside, before))
    return chapters
