"""Composes what is shown of a stream without a model: a closed chapter's text, and the recap of all of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from streametrics.recap.extraction import gist, keywords, overview, title
from streametrics.recap.spoken import SpokenSentence

#: Letters of a chapter's summary. More tell more and make the page longer: of what `benchmarks.late_join` plants (seeds
#: for development) a page told 87 % with 480 letters, 91 % with 560.
GIST_LETTERS = 560
#: Letters of a recap on a page, and in a chat.
PAGE_LETTERS, CHAT_LETTERS = 2000, 380
#: Words that were said so long before a chapter tell less in it.
BEFORE_S = 3600.0


@dataclass(frozen=True, slots=True)
class PickedChapter:
    """What a chapter is called and what it says: sentences that were said in it."""

    title: str
    summary: tuple[SpokenSentence, ...]
    keywords: tuple[str, ...]


def close_chapter(sentences: Sequence[SpokenSentence], before: Sequence[SpokenSentence]) -> PickedChapter:
    """Compose a chapter's text. before: what was said in the BEFORE_S before it."""
    return PickedChapter(
        title(sentences, before=before),
        tuple(gist(sentences, most_letters=GIST_LETTERS, before=before)),
        tuple(keywords(sentences, before=before)),
    )


def stream_recap(
    chapters: Sequence[Sequence[SpokenSentence]],
    open_sentences: Sequence[SpokenSentence],
    before: Sequence[SpokenSentence],
    most_letters: int = PAGE_LETTERS,
) -> list[SpokenSentence]:
    """Compose a recap of the whole stream. chapters: the summaries of the closed ones. before: see `close_chapter`."""
    latest = gist(open_sentences, most_letters=GIST_LETTERS, before=before) if open_sentences else []
    return overview([*chapters, latest], most_letters=most_letters)
