"""What was said, in sentences with their places."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.domain.transcript import Segment, Word
from streametrics.recap.spoken import NumberedSegment, SpokenSentence, spoken_sentences


def divided(*segments: Segment) -> list[SpokenSentence]:
    return spoken_sentences(NumberedSegment(number, segment) for number, segment in enumerate(segments))


def test_a_sentence_goes_on_in_the_next_segment() -> None:
    found = divided(Segment(0, 4, "We won. And then we"), Segment(4, 6, "went home. Good night."))
    assert [sentence.text for sentence in found] == ["We won.", "And then we went home.", "Good night."]
    assert (found[1].first_segment, found[1].last_segment) == (0, 1)
    assert found[0].end_s == found[1].start_s
    assert found[1].end_s == found[2].start_s
    assert found[2].end_s == 6


def test_it_does_not_go_on_behind_a_pause_or_in_another_language() -> None:
    assert len(divided(Segment(0, 4, "and then we"), Segment(6.5, 8, "went home"))) == 2
    assert len(divided(Segment(0, 4, "and then we", language="en"), Segment(4, 8, "da da", language="de"))) == 2


def test_times_of_words_decide_where_they_are_known() -> None:
    words = (Word(0, 1, "We"), Word(1, 2, " won."), Word(7, 8, " Good"), Word(8, 9, " night."))
    first, second = divided(Segment(0, 10, "We won. Good night.", words=words))
    assert (first.start_s, first.end_s, second.start_s, second.end_s) == (0, 2, 7, 9)


def test_minutes_without_a_full_stop_are_divided_between_segments() -> None:
    texts = [f"and then the dragon number {number} came over the hill" for number in range(60)]
    found = divided(*(Segment(number * 4, number * 4 + 4, text) for number, text in enumerate(texts)))
    assert " ".join(sentence.text for sentence in found) == " ".join(texts)
    assert all(len(sentence.text.split()) <= 30 for sentence in found)
    assert all(later.first_segment > sentence.last_segment for sentence, later in pairwise(found))


def test_a_script_without_spaces_is_joined_without_one() -> None:
    assert [each.text for each in divided(Segment(0, 4, "今日は新しい"), Segment(4, 8, "ゲームです。楽しい。"))] == [
        "今日は新しいゲームです。",
        "楽しい。",
    ]


@pytest.mark.parametrize("text", ["", "   ", "…", "♪ ♪", "-"])
def test_what_has_no_letter_is_no_sentence(text: str) -> None:
    assert divided(Segment(0, 5, text)) == []


SEGMENTS = st.lists(
    st.builds(
        Segment,
        st.floats(0, 600).map(lambda each: round(each, 2)),
        st.floats(0, 600).map(lambda each: round(each, 2)),
        st.text(alphabet="ab cé.!?,今日ก1", max_size=80),
    ),
    max_size=12,
)


@given(SEGMENTS)
def test_no_letter_is_lost_and_no_place_is_outside(segments: list[Segment]) -> None:
    found = divided(*segments)
    assert [each.start_s for each in found] == [*map(float, (each.start_s for each in found))]
    letters = sorted("".join(segment.text for segment in segments if any(map(str.isalnum, segment.text))))
    kept = [char for char in letters if char.isalnum()]
    assert sorted(char for sentence in found for char in sentence.text if char.isalnum()) == kept
    for sentence in found:
        numbers = range(sentence.first_segment, sentence.last_segment + 1)
        assert min(segments[number].start for number in numbers) <= sentence.start_s <= sentence.end_s
        assert sentence.end_s <= max(max(segments[number].start, segments[number].end) for number in numbers)
