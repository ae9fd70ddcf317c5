"""Composes chapters of what was said in them, without a model."""

from collections.abc import Sequence

from streametrics.recap.boundaries import Boundary
from streametrics.recap.chapters import Chapter, ChapterText
from streametrics.recap.extraction import Stretch
from streametrics.recap.spoken import SpokenSentence
from streametrics.text import sentences as text_sentences

#: What code has picked, without a model.
EXTRACTIVE = "extractive"
#: Letters of a chapter's summary. More tell more and make the page longer: of what `benchmarks.late_join` plants (seeds
#: for development) a page told 87 % with 480 letters, 91 % with 560.
GIST_LETTERS = 560
#: Words that were said so long before a chapter tell less in it, in seconds.
BEFORE_S = 3600.0


def chapter_text(inside: Sequence[SpokenSentence], before: Sequence[SpokenSentence]) -> ChapterText:
    """Say by extraction what a chapter is about. before: what was said in the BEFORE_S before it."""
    stretch = Stretch(inside, before)
    picked = stretch.gist(GIST_LETTERS)
    return ChapterText(
        title=stretch.title(),
        summary=text_sentences.join(sentence.text for sentence in picked),
        keywords=tuple(stretch.keywords()),
        sentences=tuple(picked),
        source=EXTRACTIVE,
    )


def chapter_of(
    place: int,
    start_s: float,
    end_s: float,
    boundary: Boundary,
    inside: Sequence[SpokenSentence],
    before: Sequence[SpokenSentence],
) -> Chapter:
    """Make the chapter that these sentences (at least one) are said in. before: see `chapter_text`."""
    numbers = [number for sentence in inside for number in (sentence.first_segment, sentence.last_segment)]
    return Chapter(place, start_s, end_s, boundary, chapter_text(inside, before), (min(numbers), max(numbers)))
