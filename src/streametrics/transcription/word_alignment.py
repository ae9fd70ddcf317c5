"""Finds when each token was said, from the decoder's cross-attention, and joins tokens to words.

Some heads of Whisper's decoder attend to the audio of the token that they choose next. As in openai-whisper
(`whisper.timing`), dynamic time warping (DTW) finds the monotonic path of the highest attention through tokens and
positions. Here it takes the attention of the decoding itself, so no second pass is needed, timestamp tokens are rows
too, and numpy computes a row of the path at once, so nothing is compiled. Figures are in docs/decisions/0030.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streametrics.domain.transcript import Segment, Word
from streametrics.transcription.word_times import fit_words

#: Seconds of audio in a position of the encoder's output.
POSITION_S = 0.02
#: The heads look ahead: they leave a word this long before it ends (measured).
LOOK_AHEAD_S = 0.05
#: Positions of the median filter that takes out single peaks.
FILTER_WIDTH = 7
#: Punctuation that belongs to the word after it, and to the one before it; the library's.
_OPENING, _CLOSING = frozenset("\"'“¿([{-"), frozenset("\"'.。,，!！?？:：”)]}、")


class WordTokenizer(Protocol):
    """What openai-whisper's and faster-whisper's tokenizers have in common. eot: tokens below it are text."""

    @property
    def eot(self) -> int: ...

    def split_to_word_tokens(self, tokens: list[int]) -> tuple[list[str], list[list[int]]]:
        """Split tokens into words' texts and tokens: at spaces, or at characters where a language has no spaces."""
        ...


def token_times(attention: NDArray[np.float32]) -> list[tuple[float, float]]:
    """Return when each token begins and ends, in seconds.

    attention: of the query that chose each token, shape (tokens, alignment heads, positions of audio).
    """
    weights = attention / np.maximum(attention.sum(axis=-1, keepdims=True), 1e-9)
    weights -= weights.mean(axis=0)
    weights /= np.maximum(weights.std(axis=0), 1e-9)
    starts = path_starts(-median_filtered(weights.mean(axis=1)))
    return times_of_positions(starts.tolist(), attention.shape[-1])


def times_of_positions(starts: Sequence[int], end: int) -> list[tuple[float, float]]:
    """Return when tokens begin and end that attend to the audio from these positions on, the last one until `end`."""
    end_s = end * POSITION_S
    begins_s = [min(start * POSITION_S + (LOOK_AHEAD_S if start else 0.0), end_s) for start in starts]
    return list(pairwise([*begins_s, end_s]))


def path_starts(cost: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the column in which the cheapest path enters each row: DTW, from the first cell to the last one.

    The path goes right, down, or both at once. Within a row, going right is a prefix sum, so the cheapest cell to have
    entered it by is a running minimum.
    """
    rows, columns = cost.shape
    numbers = np.arange(columns)
    above = np.full(columns, np.inf)
    above[0] = 0.0
    entries = np.zeros((rows, columns), dtype=np.int64)
    is_diagonal = np.zeros((rows, columns), dtype=bool)
    for row, own in enumerate(cost.astype(np.float64)):
        aside = np.append(np.inf, above[:-1]) if row else np.full(columns, np.inf)
        is_diagonal[row] = aside <= above
        along = np.cumsum(own)
        entered = np.minimum(above, aside) + own - along
        best = np.minimum.accumulate(entered)
        entries[row] = np.maximum.accumulate(np.where(entered <= best, numbers, 0))
        above = along + best
    starts = np.zeros(rows, dtype=np.int64)
    column = columns - 1
    for row in range(rows - 1, -1, -1):
        starts[row] = entries[row, column]
        column = starts[row] - int(is_diagonal[row, starts[row]])
    return starts


def median_filtered(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the running median along each row."""
    if rows.shape[-1] <= FILTER_WIDTH // 2:
        return rows
    padded = np.pad(rows, [(0, 0), (FILTER_WIDTH // 2, FILTER_WIDTH // 2)], mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, FILTER_WIDTH, axis=-1)
    middle: NDArray[np.float32] = np.partition(around, FILTER_WIDTH // 2, axis=-1)[..., FILTER_WIDTH // 2]
    return middle


def words_of_segment(
    segment: Segment, tokens: Sequence[int], times: Sequence[tuple[float, float]], tokenizer: WordTokenizer
) -> Segment:
    """Return the segment with its words. times: when each of its tokens begins and ends, on the segment's clock.

    Without times it has none.
    """
    spoken = [number for number, token in enumerate(tokens) if token < tokenizer.eot]
    if not spoken or not times:
        return segment
    words = join_words(
        [tokens[number] for number in spoken], [times[number] for number in spoken], segment.text.strip(), tokenizer
    )
    return replace(segment, words=fit_words(words, segment.start, segment.end))


def join_words(
    tokens: Sequence[int], times: Sequence[tuple[float, float]], text: str, tokenizer: WordTokenizer
) -> list[Word]:
    """Join text tokens, each with its start and end in seconds, to the words of `text`.

    Punctuation goes with the word before or after it, and does not change that one's times.
    """
    texts, tokens_by_word = _split(list(tokens), text, tokenizer)
    words: list[Word] = []
    at, opening = 0, ""
    for word_text, count in zip(texts, tokens_by_word, strict=True):
        start, end = times[at][0], times[at + count - 1][1]
        at += count
        mark = word_text.strip()
        if mark and word_text.startswith(" ") and _consists_of(mark, _OPENING):
            opening += word_text
        elif words and not opening and (not mark or _consists_of(word_text, _CLOSING)):
            words[-1] = Word(words[-1].start, words[-1].end, words[-1].text + word_text)
        else:
            words.append(Word(start, end, opening + word_text))
            opening = ""
    if opening and words:
        words[-1] = Word(words[-1].start, words[-1].end, words[-1].text + opening)
    elif opening:
        words.append(Word(times[0][0], times[-1][1], opening))
    return words


def _split(tokens: list[int], text: str, tokenizer: WordTokenizer) -> tuple[list[str], list[int]]:
    """Split tokens into words' texts and numbers of tokens; one word where the library loses a broken character."""
    try:
        texts, tokens_by_word = tokenizer.split_to_word_tokens(tokens)
    except IndexError:
        return [text], [len(tokens)]
    if "".join(texts).strip() != text:
        return [text], [len(tokens)]
    return texts, [len(each) for each in tokens_by_word]


def _consists_of(text: str, marks: frozenset[str]) -> bool:
    return all(mark in marks for mark in text)
