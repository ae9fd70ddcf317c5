"""Where silence is put between frames, and which stamps are not believed."""

import pytest

from streametrics.audio.timeline import LONGEST_GAP_S, Timeline


def placed(frames: list[tuple[float | None, float]], max_silence_s: float = 3600.0) -> tuple[list[float], Timeline]:
    """Place frames given as stamp and length; returns the silence before each."""
    timeline = Timeline(max_silence_s)
    return [timeline.place(at_s, duration_s) for at_s, duration_s in frames], timeline


def test_frames_that_follow_each_other_have_nothing_between_them() -> None:
    silences, timeline = placed([(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)])
    assert silences == [0, 0, 0]
    assert not timeline.is_closed


def test_a_late_start_and_a_gap_are_filled() -> None:
    silences, timeline = placed([(4.0, 1.0), (5.0, 1.0), (26.0, 1.0)])
    assert silences == [4.0, 0, 20.0]
    assert not timeline.is_closed


def test_inexact_stamps_and_frames_without_one_follow_what_is_before_them() -> None:
    silences, timeline = placed([(0.0, 1.0), (1.1, 1.0), (None, 1.0), (2.95, 1.0), (3.9, 1.0)])
    assert silences == [0] * 5
    assert not timeline.is_closed


def test_small_gaps_add_up() -> None:
    """A stream that loses one packet of a second in ten keeps the times of a player within a fifth of a second."""
    silences, _ = placed([(index * 1.05, 1.0) for index in range(100)])
    assert sum(silences) == pytest.approx(99 * 0.05, abs=0.2)


def test_a_gap_over_ten_minutes_is_closed_and_later_gaps_are_filled() -> None:
    silences, timeline = placed([(0.0, 1.0), (LONGEST_GAP_S + 2, 1.0), (LONGEST_GAP_S + 8, 1.0)])
    assert silences == [0, 0, 5.0]
    assert timeline.is_closed


def test_stamps_that_jump_back_go_on_where_the_sound_is() -> None:
    silences, timeline = placed([(0.0, 10.0), (2.0, 1.0), (3.0, 1.0), (7.0, 1.0)])
    assert silences == [0, 0, 0, 3.0]
    assert timeline.is_closed


def test_a_clock_that_runs_a_little_slow_is_no_jump() -> None:
    silences, timeline = placed([(index * 0.99, 1.0) for index in range(1000)])
    assert silences == [0] * 1000
    assert not timeline.is_closed


def test_more_silence_than_allowed_is_closed() -> None:
    silences, timeline = placed([(index * 101.0, 1.0) for index in range(50)], max_silence_s=1000.0)
    assert sum(silences) == 1000.0
    assert timeline.is_closed


def test_silence_that_was_added_because_nothing_came_is_not_added_again() -> None:
    timeline = Timeline(3600)
    timeline.place(0.0, 1.0)
    timeline.pad(18.0)
    assert timeline.place(21.0, 1.0) == 2.0
    assert not timeline.is_closed


@pytest.mark.parametrize(
    ("second_starts_at", "silence_s", "rejoined"), [(0.0, 0.0, True), (10.0, 0.0, False), (15.0, 5.0, False)]
)
def test_a_joined_file_goes_on_or_begins_anew(second_starts_at: float, silence_s: float, rejoined: bool) -> None:
    _, timeline = placed([(0.0, 10.0)])
    timeline.begin_anew()
    assert timeline.place(second_starts_at, 1.0) == silence_s
    assert (timeline.is_rejoined, timeline.is_closed) == (rejoined, False)


def test_a_frame_whose_place_was_given_away_as_silent_is_told_and_later_ones_are_right() -> None:
    timeline = Timeline(3600)
    timeline.pad(30.0)
    assert timeline.place(0.0, 1.0) == 0
    assert timeline.is_closed
    assert timeline.place(60.0, 1.0) == 29.0
