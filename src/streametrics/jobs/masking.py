"""Masks what recaps and chapters do not tell: a streamer's hidden words, telephone numbers and e-mail addresses.

What is stored has no hidden words of the time when it joined; others were named later, or written by a model or person.
"""

from collections.abc import Sequence
from dataclasses import replace

from streametrics.recap.chapters import Chapter
from streametrics.recap.spoken import SpokenSentence
from streametrics.streams.hidden_words import Phrase, hide_in_text
from streametrics.streams.masking import mask_contacts


def masked(text: str, phrases: Sequence[Phrase]) -> str:
    """Mask a text."""
    return mask_contacts(hide_in_text(text, phrases))


def masked_sentences(sentences: Sequence[SpokenSentence], phrases: Sequence[Phrase]) -> tuple[SpokenSentence, ...]:
    """Mask sentences, each in its place."""
    return tuple(replace(sentence, text=masked(sentence.text, phrases)) for sentence in sentences)


def masked_chapter(chapter: Chapter, phrases: Sequence[Phrase]) -> Chapter:
    """Mask what is said of a chapter."""
    text = chapter.text
    shown = replace(
        text,
        title=masked(text.title, phrases),
        summary=masked(text.summary, phrases),
        keywords=tuple(word for word in text.keywords if masked(word, phrases) == word),
        sentences=masked_sentences(text.sentences, phrases),
    )
    return replace(chapter, text=shown)
