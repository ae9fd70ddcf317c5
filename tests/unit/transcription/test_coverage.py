"""Speech that no words cover: found by the words' times, and given back to be transcribed again."""

import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.domain.transcript import Segment, Word
from streametrics.transcription.coverage import count_units, uncovered, without, words_in
from streametrics.transcription.vad import SampleSpan


def span(start_s: float, end_s: float) -> SampleSpan:
    return SampleSpan(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ))


def segment(*words: tuple[float, float, str], start: float | None = None, end: float | None = None) -> Segment:
    made = tuple(Word(*word) for word in words)
    return Segment(
        made[0].start if start is None else start,
        made[-1].end if end is None else end,
        "".join(word.text for word in made).strip(),
        words=made,
    )


def test_a_stretch_without_words_is_uncovered_although_a_segment_is_stretched_over_it() -> None:
    stretches = [span(0.0, 1.5), span(3.0, 5.0), span(6.0, 8.0)]
    given_up = segment((0.1, 0.5, " Press"), (0.5, 1.4, " Yard."), end=8.0)

    assert uncovered(stretches, [given_up]) == stretches[1:]


def test_a_word_that_is_stretched_over_the_rest_covers_no_more_than_a_word() -> None:
    stretches = [span(0.0, 1.5), span(3.0, 6.0), span(6.5, 8.0)]
    given_up = segment((0.1, 0.5, " Press"), (0.5, 8.0, " Yard."))

    assert uncovered(stretches, [given_up]) == stretches[1:]


def test_soft_beginnings_and_ends_of_words_are_no_fault() -> None:
    assert uncovered([span(0.0, 1.5), span(2.0, 3.0)], [segment((0.2, 1.3, " Pressing"), (2.2, 2.8, " on"))]) == []


def test_a_stretch_with_half_of_its_words_is_uncovered_as_a_whole() -> None:
    hello = segment((0.0, 0.4, " Hello"), (2.0, 2.3, " world"))

    assert uncovered([span(0.0, 0.7), span(2.0, 3.0)], [hello]) == [span(2.0, 3.0)]


def test_of_a_long_stretch_with_few_words_what_has_none_is_uncovered() -> None:
    [before, after] = uncovered([span(0.0, 9.0)], [segment((3.0, 3.5, " Hello"), (3.5, 4.0, " world"))])

    assert (before, after) == (span(0.0, 3.0), span(4.0, 9.0))


def test_of_a_long_stretch_the_part_without_words_is_uncovered() -> None:
    said = [segment((at, at + 0.5, " word")) for at in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 7.0, 7.5, 8.0)]

    [gap] = uncovered([span(0.0, 8.5)], said)

    assert gap == span(4.5, 7.0)


def test_a_segment_whose_words_have_no_times_covers_all_of_its_time() -> None:
    assert uncovered([span(0.0, 3.0), span(4.0, 8.0)], [Segment(0.0, 8.0, "Press Yard")]) == []


def test_without_anything_decoded_all_speech_is_uncovered() -> None:
    stretches = [span(0.0, 3.0), span(4.0, 8.0)]

    assert uncovered(stretches, []) == stretches


@pytest.mark.parametrize(
    ("taken", "texts", "times"),
    [
        pytest.param(span(2.0, 4.0), ["one two", "five"], [(0.0, 1.5), (4.2, 6.0)], id="the middle: two remain"),
        pytest.param(span(0.0, 2.0), ["three four five"], [(2.0, 6.0)], id="the beginning"),
        pytest.param(span(2.0, 6.0), ["one two"], [(0.0, 1.5)], id="the end"),
        pytest.param(span(0.0, 6.0), [], [], id="all"),
        pytest.param(span(5.0, 6.0), ["one two three four five"], [(0.0, 4.9)], id="nothing but its time"),
    ],
)
def test_a_segment_gives_its_words_in_a_span_away(
    taken: SampleSpan, texts: list[str], times: list[tuple[float, float]]
) -> None:
    whole = segment(
        (0.1, 0.6, " one"),
        (0.7, 1.5, " two"),
        (2.0, 2.5, " three"),
        (2.6, 3.4, " four"),
        (4.2, 4.9, " five"),
        start=0.0,
        end=6.0,
    )

    kept = without([whole], taken)

    assert [each.text for each in kept] == texts
    assert [(each.start, each.end) for each in kept] == times
    assert [word for each in kept for word in each.words] == [
        word for word in whole.words if word not in words_in([whole], taken)
    ]


def test_a_stretched_word_is_said_where_it_begins() -> None:
    rest = span(2.0, 10.0)
    given_up = segment((0.1, 0.5, " Press"), (0.6, 10.0, " Yard."))

    assert words_in([given_up], rest) == []
    (kept,) = without([given_up], rest)
    assert kept.text == "Press Yard."
    assert kept.end == kept.words[-1].end < 2.0


def test_a_stretched_word_stays_where_those_behind_it_are_replaced() -> None:
    (kept,) = without([segment((0.1, 0.5, " Press"), (0.6, 10.0, " Yard"), (10.0, 10.4, " now."))], span(2.0, 11.0))

    assert kept.text == "Press Yard"
    assert kept.end == kept.words[-1].end < 2.0


def test_what_is_found_in_a_long_stretch_lies_in_it() -> None:
    stretch = span(1.0, 9.0)

    found = uncovered([stretch], [segment((0.5, 0.9, " one")), segment((9.0, 9.4, " two"))])

    assert found == [stretch]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", 0),
        (" …", 0),
        ("Hello, world!", 2),
        ("今天", 2),
        ("今天天气很好。", 6),
        ("iPhone很好", 3),
        ("สวัสดี", 6),
        ("안녕 세상", 2),
    ],
)
def test_words_and_characters_without_spaces_are_counted_alike(text: str, units: int) -> None:
    assert count_units(text) == units
