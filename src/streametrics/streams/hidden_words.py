"""Hides words in what was said: whole words, in any case and with any accents, as the search finds them.

`***` stands in their place, as automatic captions do it: who reads sees that something was said, and the words around
it are not quoted as one sentence.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from streametrics.domain.transcript import Segment, Word
from streametrics.streams.masking import MASK
from streametrics.streams.search_terms import places_of, words_of

Phrase = tuple[str, ...]
#: How often a text is looked at again: what is left around a mask may be another hidden phrase.
MOST_ROUNDS = 5


def phrases_to_hide(hidden: Iterable[str]) -> tuple[Phrase, ...]:
    """Divide each of the hidden words, or phrases, as the search does; the longest first."""
    found = {tuple(words_of(each)) for each in hidden} - {()}
    return tuple(sorted(found, key=lambda phrase: (-len(phrase), phrase)))


def hides(words: Sequence[str], phrases: Sequence[Phrase]) -> bool:
    """Tell whether one of the phrases is among these words, in order."""
    return any(True for _ in _found(words, phrases))


def hide(segment: Segment, phrases: Sequence[Phrase]) -> Segment:
    """Return a segment without these phrases; itself where none of them is in it."""
    if not phrases or not hides(words_of(segment.text), phrases):
        return segment
    words = _hidden_words(segment.words, phrases)
    text = "".join(word.text for word in words).strip() if words else _hidden_text(segment.text, phrases)
    if hides(words_of(text), phrases):
        # Written in a way whose parts cannot be told: as what it is the same as, without the times of words.
        words, text = (), _hidden_text(unicodedata.normalize("NFKC", segment.text), phrases)
    if hides(words_of(text), phrases):
        words, text = (), MASK
    return replace(segment, text=text, words=words)


def hide_in_text(text: str, phrases: Sequence[Phrase]) -> str:
    """Return a text without these phrases."""
    return hide(Segment(0.0, 0.0, text), phrases).text if phrases else text


def _found(words: Sequence[str], phrases: Sequence[Phrase]) -> Iterable[tuple[int, int]]:
    """Give from which word to before which one there is a phrase, in order, none over another."""
    by_first: dict[str, list[Phrase]] = {}
    for phrase in phrases:
        by_first.setdefault(phrase[0], []).append(phrase)
    at = 0
    while at < len(words):
        for phrase in by_first.get(words[at], ()):
            if tuple(words[at : at + len(phrase)]) == phrase:
                yield at, at + len(phrase)
                at += len(phrase)
                break
        else:
            at += 1


def _stretches(text: str, phrases: Sequence[Phrase]) -> list[tuple[int, int]]:
    """List the stretches of a text, in characters, that are to be hidden."""
    places = places_of(text)
    words = [place[0] for place in places]
    return [(places[first][1], places[behind - 1][2]) for first, behind in _found(words, phrases)]


def _hidden_text(text: str, phrases: Sequence[Phrase]) -> str:
    for _ in range(MOST_ROUNDS):
        if not (stretches := _stretches(text, phrases)):
            break
        for start, end in reversed(stretches):
            text = text[:start] + MASK + text[end:]
    return text


def _hidden_words(words: tuple[Word, ...], phrases: Sequence[Phrase]) -> tuple[Word, ...]:
    for _ in range(MOST_ROUNDS):
        stretches = _stretches("".join(word.text for word in words), phrases)
        if not stretches:
            break
        words = _without(words, stretches)
    return words


def _without(words: Iterable[Word], stretches: Iterable[tuple[int, int]]) -> tuple[Word, ...]:
    """Hide stretches of the joined texts: the mask takes the place of the first letter, and the time of all."""
    masked = {start: MASK for start, _ in stretches}
    hidden = {at for start, end in stretches for at in range(start, end)}
    made: list[Word] = []
    offset = 0
    for word in words:
        letters = [
            masked.get(offset + at, "" if offset + at in hidden else letter) for at, letter in enumerate(word.text)
        ]
        offset += len(word.text)
        text = "".join(letters)
        if not text.strip() and word.text.strip() and made:
            made[-1] = replace(made[-1], end=max(made[-1].end, word.end))  # part of a phrase that began before it
        else:
            made.append(replace(word, text=text))
    return tuple(made)
