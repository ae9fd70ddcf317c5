"""The path through attention, and words out of tokens."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streametrics.domain.transcript import Segment
from streametrics.transcription.word_alignment import (
    FILTER_WIDTH,
    LOOK_AHEAD_S,
    join_words,
    median_filtered,
    path_starts,
    token_times,
    words_of_segment,
)

costs = st.integers(1, 5).flatmap(
    lambda rows: st.integers(1, 6).flatmap(
        lambda columns: st.lists(
            st.lists(st.integers(-9, 9), min_size=columns, max_size=columns), min_size=rows, max_size=rows
        )
    )
)


class Letters:
    """A tokenizer whose tokens are characters, and whose words begin at spaces and marks."""

    eot = 1000

    def split_to_word_tokens(self, tokens: list[int]) -> tuple[list[str], list[list[int]]]:
        words: list[list[int]] = []
        for token in tokens:
            if words and (chr(token).isalnum() or words[-1] == [ord(" ")]) and chr(words[-1][-1]) not in ",.!":
                words[-1].append(token)
            else:
                words.append([token])
        return ["".join(map(chr, word)) for word in words], words


@settings(max_examples=200, deadline=None)
@given(costs)
def test_no_path_is_cheaper_than_the_one_found(cost: list[list[int]]) -> None:
    matrix = np.array(cost, dtype=np.float64)

    starts = path_starts(matrix).tolist()

    # Expect the cheapest way from where each row is entered to where the next one is, at the price of the best path
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert _cost_of(matrix, starts) == _cheapest(matrix)


def _cheapest(cost: NDArray[np.float64]) -> float:
    """Dynamic time warping as it is written down: cell by cell."""
    rows, columns = cost.shape
    best = np.full((rows + 1, columns + 1), np.inf)
    best[0, 0] = 0
    for row, column in product(range(rows), range(columns)):
        before = min(best[row, column], best[row, column + 1], best[row + 1, column])
        best[row + 1, column + 1] = cost[row, column] + before
    return float(best[-1, -1])


def _cost_of(cost: NDArray[np.float64], starts: list[int]) -> float:
    """The least that a path costs which enters rows in these columns: a row ends above the next entry or beside it."""
    total = 0.0
    for row, start in enumerate(starts):
        if row + 1 == len(starts):
            total += float(cost[row, start:].sum())
        else:
            ends = [end for end in (starts[row + 1] - 1, starts[row + 1]) if end >= start]
            total += min(float(cost[row, start : end + 1].sum()) for end in ends)
    return total


@given(st.lists(st.floats(-5, 5, width=32), min_size=4, max_size=30))
def test_the_median_is_that_of_the_values_around(values: list[float]) -> None:
    half = FILTER_WIDTH // 2
    padded = np.pad(np.array(values, dtype=np.float32), half, mode="reflect")

    found = median_filtered(np.array([values], dtype=np.float32))[0]

    assert found.tolist() == [float(np.median(padded[at : at + FILTER_WIDTH])) for at in range(len(values))]


def test_tokens_are_where_the_heads_look() -> None:
    # Given two heads, one of which looks nowhere, and tokens that look at 0 to 0.4 s, to 1 s and to 1.2 s
    attention = np.full((3, 2, 60), 1e-3, dtype=np.float32)
    for token, (start, end) in enumerate(((0, 20), (20, 50), (50, 60))):
        attention[token, 0, start:end] = 1.0

    times = token_times(attention)

    assert [start for start, _ in times] == pytest.approx([0.0, 0.4 + LOOK_AHEAD_S, 1.0 + LOOK_AHEAD_S], abs=0.021)
    assert [end for _, end in times] == [*(start for start, _ in times[1:]), pytest.approx(1.2)]


@pytest.mark.parametrize(("tokens", "positions"), [(1, 1), (1, 3), (5, 2), (3, 1)])
def test_a_moment_of_audio_has_times_too(tokens: int, positions: int) -> None:
    times = token_times(np.ones((tokens, 2, positions), dtype=np.float32))

    assert len(times) == tokens
    assert all(0 <= start <= end <= positions * 0.02 + 1e-9 for start, end in times)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" Hello, world.", [" Hello,", " world."]),
        (" (Go on)! ", [" (Go", " on)!"]),
        (" -", [" -"]),
        ("...", ["..."]),
        (" a 'b c", [" a", " 'b", " c"]),
        (" a (", [" a ("]),
    ],
)
def test_marks_go_with_their_word_and_leave_its_times(text: str, words: list[str]) -> None:
    tokens = [ord(character) for character in text.rstrip()]
    times = [(float(number), number + 1.0) for number in range(len(tokens))]

    found = join_words(tokens, times, text.strip(), Letters())

    assert [word.text for word in found] == words
    if "," in text:
        assert (found[0].start, found[0].end) == (0.0, 6.0)  # without the comma


def test_timestamps_are_no_words_and_words_stay_in_their_segment() -> None:
    tokens = [1000 + 0, *map(ord, " Go on"), 1000 + 50]
    times = [(0.0, 0.1), *((0.1 * number, 0.1 * number + 0.1) for number in range(6)), (9.0, 9.0)]

    segment = words_of_segment(Segment(0.15, 0.5, " Go on"), tokens, times, Letters())

    assert [(word.start, word.end, word.text) for word in segment.words] == [(0.15, 0.3, " Go"), (0.3, 0.5, " on")]


def test_a_character_that_the_tokenizer_loses_leaves_one_word() -> None:
    class Broken(Letters):
        def split_to_word_tokens(self, tokens: list[int]) -> tuple[list[str], list[list[int]]]:
            return ["Go"], [tokens[:2]]

    found = join_words([1, 2, 3], [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)], "Go\ufffd", Broken())

    assert [(word.start, word.end, word.text) for word in found] == [(0.0, 3.0, "Go\ufffd")]
