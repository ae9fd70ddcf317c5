"""When a number of live streams counts as held."""

import pytest

from benchmarks.streams import Round


def test_streams_whose_chunks_take_the_same_time_throughout_are_held() -> None:
    assert Round(2, dict.fromkeys(range(5), 4.0)).held


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param([4.0, 4.0, 31.0, 4.0, 4.0], id="one chunk is not done when the next is ready"),
        pytest.param([4.0, 4.5, 5.0, 5.5, 6.0], id="the queue grows and will overflow later"),
    ],
)
def test_streams_that_lose_a_chunk_now_or_later_are_not_held(seconds: list[float]) -> None:
    assert not Round(2, dict(enumerate(seconds))).held


def test_a_chunk_that_failed_is_lost_however_fast_the_others_are() -> None:
    assert not Round(2, dict.fromkeys(range(4), 4.0), ["summary by extractive"]).held


def test_a_round_in_which_nothing_was_done_can_be_told_of() -> None:
    assert Round(2, {}, ["no words"]).describe().startswith("2 not held")
