"""Where chapters end, and that they stay so."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streametrics.recap.boundaries import CONFIRMED_S, LONGEST_S, SHORTEST_S, Boundary, Mark, next_chapter
from streametrics.recap.spoken import NumberedSegment, SpokenSentence, spoken_sentences
from tests.unit.recap.said import talk


def all_chapters(segments: list[NumberedSegment], reached_s: float, marks: tuple[Mark, ...] = ()) -> list[Mark]:
    """Every border that is certain when the stream was heard so far, found from the beginning."""
    found: list[Mark] = []
    sentences = spoken_sentences(each for each in segments if each.segment.start < reached_s)
    start_s = 0.0
    while (border := after(sentences, start_s, reached_s, marks)) is not None:
        found.append(border)
        start_s = border.at_s
    return found


def after(sentences: list[SpokenSentence], start_s: float, reached_s: float, marks: tuple[Mark, ...]) -> Mark | None:
    return next_chapter(
        [sentence for sentence in sentences if sentence.start_s >= start_s],
        start_s=start_s,
        reached_s=reached_s,
        marks=[mark for mark in marks if start_s < mark.at_s <= reached_s],
    )


def test_a_chapter_ends_where_other_words_begin() -> None:
    found = all_chapters(talk([0, 1, 2]), 18 * 60)
    assert [mark.why for mark in found] == [Boundary.TOPIC, Boundary.TOPIC]
    assert found[0].at_s == pytest.approx(360, abs=30)
    assert found[1].at_s == pytest.approx(720, abs=30)


def test_a_border_is_certain_after_two_to_three_minutes() -> None:
    segments = talk([0, 1])
    reached_s = next(reached for reached in range(0, 720, 5) if all_chapters(segments, reached))
    assert 360 + 120 <= reached_s <= 360 + 60 + CONFIRMED_S
    assert CONFIRMED_S <= 182


def test_no_border_comes_within_one_topic_before_the_longest() -> None:
    segments = talk([0], minutes=40)
    assert all_chapters(segments, LONGEST_S + 60) == []
    first, *_ = all_chapters(segments, 40 * 60)
    assert first.why is Boundary.LIMIT
    assert LONGEST_S / 2 <= first.at_s <= LONGEST_S


@pytest.mark.parametrize("why", [Boundary.TITLE, Boundary.GAME, Boundary.GAP])
def test_a_mark_is_a_border_at_once(why: Boundary) -> None:
    segments = talk([0], minutes=10)
    assert all_chapters(segments, 300, (Mark(300, why),)) == [Mark(300, why)]
    assert all_chapters(segments, 310, (Mark(20, why), Mark(300, why))) == [Mark(20, why), Mark(300, why)]
    assert all_chapters(segments, 299, (Mark(300, why),)) == []


def test_of_marks_at_one_place_the_game_says_more_than_the_title() -> None:
    marks = (Mark(300, Boundary.TITLE), Mark(300, Boundary.GAME))
    assert all_chapters(talk([0]), 330, marks) == [Mark(300, Boundary.GAME)]


def test_silence_alone_has_no_chapters() -> None:
    assert next_chapter([], start_s=0, reached_s=100_000) is None


def test_a_word_or_two_in_hours_is_divided_at_the_longest() -> None:
    segments = talk([0], minutes=1)
    found = all_chapters(segments, 7200)
    assert found == [Mark(LONGEST_S, Boundary.LIMIT)]


MARKS = st.lists(
    st.builds(Mark, st.integers(1, 5400).map(float), st.sampled_from([Boundary.TITLE, Boundary.GAME, Boundary.GAP])),
    max_size=3,
).map(tuple)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
    st.sampled_from([3.0, 6.0, 11.0]),
    st.integers(0, 10_000),
    st.sampled_from([30.0, 27.56]),
    MARKS,
)
def test_a_closed_border_never_changes(
    topics: list[int], minutes: float, seed: int, step_s: float, marks: tuple[Mark, ...]
) -> None:
    # Given a stream that is heard chunk by chunk, whose chapters are closed as they are found
    segments = talk(topics, minutes=minutes, seed=seed)
    end_s = segments[-1].segment.end
    closed: list[Mark] = []
    reached_s = 0.0
    while reached_s < end_s:
        reached_s += step_s
        sentences = spoken_sentences(each for each in segments if each.segment.start < reached_s)
        while (border := after(sentences, closed[-1].at_s if closed else 0.0, reached_s, marks)) is not None:
            closed.append(border)
    # Then a search over all of it, from the beginning, finds the same ones
    assert all_chapters(segments, reached_s, marks) == closed
    lengths = [
        later.at_s - border.at_s for border, later in zip([Mark(0, Boundary.START), *closed], closed, strict=False)
    ]
    assert all(length > 0 for length in lengths)
    for length, border in zip(lengths, closed, strict=True):
        assert length >= SHORTEST_S or border.why not in (Boundary.TOPIC, Boundary.LIMIT)
        assert length <= LONGEST_S or border.why in (Boundary.GAP, Boundary.TITLE, Boundary.GAME)


def test_an_open_chapter_of_25_minutes_takes_milliseconds() -> None:
    sentences = spoken_sentences(talk([0], minutes=25))
    started = time.process_time()
    assert next_chapter(sentences, start_s=0, reached_s=1500) is None
    assert time.process_time() - started < 0.1
