"""Keeps words in order and inside their segment."""

from collections.abc import Iterable

from streametrics.domain.transcript import Word

#: The least length of a word, in seconds, where its segment has room.
MIN_WORD_S = 0.02


def fit_words(words: Iterable[Word], start_s: float, end_s: float) -> tuple[Word, ...]:
    """Limit words to a segment: in order, none over another, each at least MIN_WORD_S long if they have room."""
    words = tuple(words)
    least_s = min(MIN_WORD_S, max(0.0, end_s - start_s) / max(1, len(words)))
    fitted: list[Word] = []
    for number, word in enumerate(words):
        after = len(words) - number - 1
        start = min(max(word.start, start_s), end_s - (after + 1) * least_s)
        end = min(max(word.end, start + least_s), end_s - after * least_s)
        fitted.append(Word(round(start, 3), round(end, 3), word.text))
        start_s = end
    return tuple(fitted)
