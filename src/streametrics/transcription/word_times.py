"""Keeps words in order, inside their segment, and where the voice is.

An engine knows where one word ends and the next begins less well than a voice detector knows where nobody speaks: after
a long word the attention moves on up to 0.5 s too early. So pauses are matched with the borders between words, as a
whole, and what is matched takes the pause's edges.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from streametrics.domain.transcript import TimeSpan, Word

#: The least length of a word, in seconds, where its segment has room.
MIN_WORD_S = 0.02
#: A border may lie this far before its pause at no cost, in seconds, because attention moves on early; and after it.
EARLY_S, LATE_S = 0.15, 0.05
#: A pause farther than this from a border is left unmatched: the detector hears some inside of words.
MAX_DISTANCE_S = 0.7
#: Before the first word and behind the last one, a border reaches so far, in seconds.
OUTER_BORDER_S = 0.3
#: What decides between borders that are all near enough: seconds from the pause itself, at this much of their value.
TIE_WEIGHT = 0.05


def fit_words(words: Iterable[Word], start_s: float, end_s: float) -> tuple[Word, ...]:
    """Limit words to a stretch: in order, none over another, each at least MIN_WORD_S long if they have room."""
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


def move_to_voice(
    words: Sequence[Word], pauses: Sequence[TimeSpan], *, start_s: float, end_s: float
) -> tuple[Word, ...]:
    """Return the words with their edges at the pauses between them, inside a stretch of audio.

    pauses: where nobody speaks, in order, those before and after the words included.
    """
    placed = list(words := fit_words(words, start_s, end_s))
    for border, pause in (matched := _match(words, pauses)):
        if border > 0:
            placed[border - 1] = replace(placed[border - 1], end=pause.start_s)
        if border < len(placed):
            placed[border] = replace(placed[border], start=pause.end_s)
    # Words between two pauses stay between them.
    edges = [
        (0, start_s, start_s),
        *((border, pause.start_s, pause.end_s) for border, pause in matched),
        (len(words), end_s, end_s),
    ]
    fitted: list[Word] = []
    for (first, _, from_s), (last, until_s, _) in pairwise(edges):
        from_s = min(max(from_s, start_s), end_s)
        fitted += fit_words(placed[first:last], from_s, max(from_s, min(until_s, end_s)))
    return tuple(fitted)


def _match(words: Sequence[Word], pauses: Sequence[TimeSpan]) -> list[tuple[int, TimeSpan]]:
    """Match pauses with borders, both in order, so that all distances together are the least.

    Border N lies before word N, the last one behind all words. A pause that is left out costs MAX_DISTANCE_S.
    """
    if not words:
        return []
    befores = [words[0].start - OUTER_BORDER_S, *(word.end for word in words)]
    afters = [*(word.start for word in words), words[-1].end + OUTER_BORDER_S]
    # Each row holds, for so many pauses, the least cost of them over so many borders, and which pairs make it.
    row: list[tuple[float, tuple[tuple[int, TimeSpan], ...]]] = [(0.0, ())] * (len(befores) + 1)
    for pause in pauses:
        above = row
        row = [(above[0][0] + MAX_DISTANCE_S, above[0][1])]
        for border, (before, after) in enumerate(zip(befores, afters, strict=True)):
            without = above[border + 1][0] + MAX_DISTANCE_S, above[border + 1][1]
            paired = above[border][0] + _distance_s(before, after, pause), (*above[border][1], (border, pause))
            row.append(min(row[-1], without, paired, key=lambda choice: choice[0]))
    return list(row[-1][1])


def _distance_s(before: float, after: float, pause: TimeSpan) -> float:
    """Return how badly a border fits a pause: one word ends at `before`, the next begins at `after`."""
    outside = max(0.0, pause.start_s - EARLY_S - after, before - LATE_S - pause.end_s)
    return outside + TIE_WEIGHT * max(0.0, pause.start_s - after, before - pause.end_s)
