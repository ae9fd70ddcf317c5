"""Divides a recording into chapters, as a stream is divided while it is live."""

from streametrics.domain.transcript import Transcript
from streametrics.recap.boundaries import Boundary, Mark, next_chapter
from streametrics.recap.chapters import Chapter, chapter_text
from streametrics.recap.composing import BEFORE_S
from streametrics.recap.spoken import NumberedSegment, SpokenSentence, spoken_sentences


def chapters_of(transcript: Transcript, *, end_s: float) -> list[Chapter]:
    """Divide a transcript; the last chapter ends with the recording."""
    numbered = (NumberedSegment(at, segment) for at, segment in enumerate(transcript.segments) if segment.text)
    said = sorted(spoken_sentences(numbered), key=lambda sentence: sentence.start_s)
    chapters: list[Chapter] = []
    rest, begins = said, Mark(0.0, Boundary.START)
    while rest:
        found = next_chapter(rest, start_s=rest[0].start_s, reached_s=end_s) or Mark(end_s, Boundary.GAP)
        inside = [sentence for sentence in rest if sentence.start_s < found.at_s] or list(rest)
        rest = rest[len(inside) :]  # they are in order
        chapters.append(_chapter(len(chapters) + 1, begins, found.at_s if rest else end_s, inside, said))
        begins = found
    return chapters


def _chapter(
    place: int, begins: Mark, end_s: float, inside: list[SpokenSentence], said: list[SpokenSentence]
) -> Chapter:
    before = [each for each in said if begins.at_s - BEFORE_S <= each.start_s < begins.at_s]
    numbers = [number for sentence in inside for number in (sentence.first_segment, sentence.last_segment)]
    return Chapter(
        place=place,
        start_s=begins.at_s,
        end_s=max(end_s, inside[-1].end_s),
        boundary=begins.why,
        text=chapter_text(inside, before),
        segments=(min(numbers), max(numbers)),
    )
