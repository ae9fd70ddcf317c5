"""When a number of live streams counts as held."""

import pytest

from benchmarks.streams import Round, find_edge


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


def test_a_queue_that_fills_in_the_first_round_is_no_growth() -> None:
    assert Round(2, dict(enumerate([1.0, 2.0, 4.0, 4.1, 4.0, 4.2, 4.1, 4.0]))).held


def test_growth_below_the_polls_old_step_of_a_second_is_seen() -> None:
    # Given chunks that take 0.8 s longer in each round
    grown = Round(2, {number: 4.0 + 0.4 * number for number in range(10)})

    assert grown.growth_s == pytest.approx(0.8)
    assert not grown.held


@pytest.mark.parametrize("capacity", [0, 1, 3, 15, 16, 17, 23, 40])
@pytest.mark.parametrize("first", [1, 16, 20])
def test_the_edge_is_found_from_either_side(capacity: int, first: int) -> None:
    tried: list[int] = []

    def is_held(streams: int) -> bool:
        tried.append(streams)
        return streams <= capacity

    find_edge(is_held, first, probes=60)

    # Expect the last that is held and the first that is not, and no number twice
    assert max((each for each in tried if each <= capacity), default=0) == capacity
    assert min(each for each in tried if each > capacity) == capacity + 1
    assert len(set(tried)) == len(tried)


def test_a_search_may_end_before_the_edge() -> None:
    tried: list[int] = []

    find_edge(lambda streams: not tried.append(streams), 16, probes=3)

    assert tried == [16, 18, 20]
