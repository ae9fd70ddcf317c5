"""Which words are believed, by the sound's evidence and the engine's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.domain.transcript import DecodingStatistics, FilterReason, Segment, Word
from streametrics.transcription.hallucination_filter import (
    HallucinationFilter,
    count_words,
    cut_loop,
    required_speech_probability,
)
from streametrics.transcription.vad import HOP_SAMPLES, SampleSpan, VoiceActivity

SURE = DecodingStatistics(average_logprob=-0.2, no_speech=0.05, compression_ratio=1.2, temperature=0.0, ended=True)
GUESSED = DecodingStatistics(average_logprob=-1.2, no_speech=0.8, compression_ratio=1.0, temperature=1.0, ended=True)
NO_END = DecodingStatistics(average_logprob=-0.1, no_speech=0.05, compression_ratio=9.0, temperature=1.0, ended=False)
NOT_TOLD = DecodingStatistics(average_logprob=-0.1, no_speech=0.05, compression_ratio=9.0, temperature=1.0)


@pytest.fixture
def hallucination_filter() -> HallucinationFilter:
    """Twenty seconds: somebody speaks from 2 to 8 s, hums at 12 s, and may mumble from 14 to 16."""
    probabilities = np.zeros(round(20 * SAMPLE_RATE_HZ / HOP_SAMPLES), np.float32)
    probabilities[_hop(2) : _hop(8)] = 0.95
    probabilities[_hop(12) : _hop(12.5)] = 0.2
    probabilities[_hop(14) : _hop(16)] = 0.4
    spans = [SampleSpan(start * SAMPLE_RATE_HZ, end * SAMPLE_RATE_HZ) for start, end in ((2, 8), (14, 16))]
    return HallucinationFilter(VoiceActivity(spans, probabilities))


def _hop(seconds: float) -> int:
    return int(seconds * SAMPLE_RATE_HZ / HOP_SAMPLES)


def test_what_is_said_by_a_voice_is_believed(hallucination_filter: HallucinationFilter) -> None:
    segment = Segment(2.1, 7.5, "and so my fellow Americans", SURE)

    assert hallucination_filter.apply(segment) == segment
    assert hallucination_filter.left_out == {}


def test_words_where_nobody_speaks_are_left_out_however_sure_the_engine_is(
    hallucination_filter: HallucinationFilter,
) -> None:
    assert hallucination_filter.apply(Segment(7.0, 9.5, "Thanks for watching!", SURE), offset_s=10) is None
    assert hallucination_filter.left_out == {FilterReason.NOBODY: 3}


@pytest.mark.parametrize("start", [8.3, 11.0])
def test_a_little_voice_beside_or_in_them_is_enough_for_sure_words(
    hallucination_filter: HallucinationFilter, start: float
) -> None:
    # Given words whose time is a little late, or in which the detector was not sure
    assert hallucination_filter.apply(Segment(start, start + 2, "go on", SURE)) is not None


@pytest.mark.parametrize(
    ("statistics", "start", "apply"),
    [
        (GUESSED, 11.0, False),
        # The less sure the model is, the surer the detector has to be: 0.95 here, 0.2 and 0.4 there.
        (DecodingStatistics(-1.2, 0.9, 1.0, 1.0), 3.0, True),
        (DecodingStatistics(-1.3, 0.3, 1.0, 1.0), 3.0, False),
        (DecodingStatistics(-0.5, 0.9, 1.0, 0.0), 14.0, True),
        (DecodingStatistics(-0.6, 0.3, 1.0, 0.0), 14.0, False),
        (DecodingStatistics(-0.2, 0.9, 1.0, 0.0), 11.0, True),
        (DecodingStatistics(-0.3, 0.3, 1.0, 0.0), 11.0, False),
        # What the last temperature said, at random.
        (DecodingStatistics(-5.7, 0.6, 1.2, 1.0), 3.0, False),
    ],
)
def test_guesses_are_left_out(
    hallucination_filter: HallucinationFilter, statistics: DecodingStatistics, start: float, apply: bool
) -> None:
    assert (hallucination_filter.apply(Segment(start, start + 2, "you", statistics)) is not None) == apply
    assert hallucination_filter.left_out == ({} if apply else {FilterReason.GUESS: 1})


@pytest.mark.parametrize("compression", [1.9, 5.6])
@pytest.mark.parametrize(("start", "apply"), [(3.0, True), (11.0, False), (14.0, False)])
def test_what_repeats_itself_needs_a_clear_voice_however_sure_the_engine_is(
    hallucination_filter: HallucinationFilter, start: float, apply: bool, compression: float
) -> None:
    # Given what noise was heard as: each sentence over and over, with an end, and surer than speech
    loop = DecodingStatistics(-0.05, 0.66, compression_ratio=compression, temperature=0.0, ended=True)

    assert (hallucination_filter.apply(Segment(start, start + 2, "안녕하세요.", loop)) is not None) == apply


@given(st.floats(-6, 0), st.floats(-6, 0), st.floats(0, 20), st.floats(0, 20), st.floats(0, 1))
def test_words_that_are_surer_and_repeat_less_never_need_more_voice(
    logprob: float, surer: float, compression: float, less: float, no_speech: float
) -> None:
    doubtful = DecodingStatistics(min(logprob, surer), no_speech, max(compression, less), 0.0)
    sure = DecodingStatistics(max(logprob, surer), no_speech, min(compression, less), 0.0)

    assert required_speech_probability(sure) <= required_speech_probability(doubtful)


def test_a_loop_without_an_end_is_said_once(hallucination_filter: HallucinationFilter) -> None:
    found = hallucination_filter.apply(Segment(2, 8, "We go to the " + "market, " * 60 + "now", NO_END))

    assert found is not None
    assert found.text == "We go to the market, now"
    assert hallucination_filter.left_out == {FilterReason.LOOP: 59}


def test_a_loop_over_segments_ends_after_three(hallucination_filter: HallucinationFilter) -> None:
    found = [
        hallucination_filter.apply(Segment(2 + 0.5 * number, 2.5 + 0.5 * number, "Thank you.", NO_END))
        for number in range(9)
    ]

    assert [segment is not None for segment in found] == [True] * 3 + [False] * 6
    assert hallucination_filter.left_out == {FilterReason.LOOP: 12}


def test_a_chant_that_ends_by_itself_is_believed(hallucination_filter: HallucinationFilter) -> None:
    chant = DecodingStatistics(-0.2, 0.05, compression_ratio=9.0, temperature=0.0, ended=True)
    segment = Segment(2, 8, "Go on! " * 30, chant)

    assert hallucination_filter.apply(segment) == segment


def test_where_the_engine_does_not_tell_a_chant_is_cut_to_what_time_allows(
    hallucination_filter: HallucinationFilter,
) -> None:
    # Given six seconds of voice, in which 36 words can be said
    assert hallucination_filter.apply(Segment(2, 8, "Go on! " * 15, NOT_TOLD)) is not None
    assert hallucination_filter.left_out == {}

    found = hallucination_filter.apply(Segment(2, 8, "Go on! " * 100, NOT_TOLD))

    assert found is not None
    assert found.text == " ".join(["Go on!"] * 18)
    assert hallucination_filter.left_out == {FilterReason.LOOP: 164}


def test_a_script_without_spaces_loops_too() -> None:
    assert cut_loop("ご視聴ありがとうございました" * 12, 0.0) == "ご視聴ありがとうございました"


@given(st.lists(st.sampled_from(["go", "on", "now"]), max_size=60), st.floats(0, 30))
def test_cutting_leaves_nothing_new_and_nothing_out_where_time_allows(words: list[str], voiced_s: float) -> None:
    text = " ".join(words)

    cut = cut_loop(text, voiced_s)

    assert set(cut.split()) == set(words)
    assert count_words(cut) <= len(words)
    if len(words) <= voiced_s * 6 - 1:
        assert cut == text


def in_words(*texts: str) -> tuple[Word, ...]:
    """Words of half a second from 2 s on."""
    return tuple(Word(2 + number / 2, 2.5 + number / 2, text) for number, text in enumerate(texts))


@pytest.mark.parametrize(
    ("text", "texts", "kept"),
    [
        ("Go on! Go on! Go on! Go on! Now.", [" Go", " on!"] * 4 + [" Now."], [" Go", " on!", " Now."]),
        # A word may be more than one to the engine, and its text may begin with its space.
        (" 9-3 9-3 9-3 9-3 now", [" 9", "-3"] * 4 + [" now"], [" 9", "-3", " now"]),
        # Numbers in a row are long enough to pass for a script without spaces, whose units are characters.
        (
            "1-2-3-4-5-6-7-8-9-10, " * 4 + "1-2",
            [" 1", "-2-3-4-5-6-7-8-9", "-10,"] * 4 + [" 1", "-2"],
            [" 1", "-2-3-4-5-6-7-8-9", "-10,", " 1", "-2"],
        ),
        # In a script without spaces, a word may be cut in two.
        (
            "ありがとうございました。" * 4,
            ["ありが", "とう", "ございました。"] * 4,
            ["ありが", "とう", "ございました。"],
        ),
    ],
)
def test_the_words_of_a_loop_are_cut_with_its_text(
    hallucination_filter: HallucinationFilter, text: str, texts: list[str], kept: list[str]
) -> None:
    words = in_words(*texts)

    found = hallucination_filter.apply(Segment(2, 8, text, NO_END, words=words))

    assert found is not None
    assert [word.text for word in found.words] == kept
    assert "".join(word.text for word in found.words).strip() == found.text
    assert found.words[:2] == words[:2]


def test_words_that_are_not_those_of_the_text_are_dropped_with_the_loop(
    hallucination_filter: HallucinationFilter,
) -> None:
    found = hallucination_filter.apply(Segment(2, 8, "Go on! " * 9, NO_END, words=in_words(" Stop")))

    assert found is not None
    assert found.words == ()


@given(st.lists(st.sampled_from(["go", "on", "now", "おはよう"]), max_size=40), st.booleans())
def test_whatever_is_cut_words_are_the_text(texts: list[str], leading: bool) -> None:
    joined = "".join(f" {text}" for text in texts)
    probabilities = np.full(round(20 * SAMPLE_RATE_HZ / HOP_SAMPLES), 0.95, np.float32)
    own = HallucinationFilter(VoiceActivity([SampleSpan(0, 20 * SAMPLE_RATE_HZ)], probabilities))

    found = own.apply(
        Segment(2, 8, joined if leading else joined.strip(), NO_END, words=in_words(*(f" {text}" for text in texts)))
    )

    assert (found is None) == (not texts)
    if found is not None:
        assert "".join(word.text for word in found.words).strip() == found.text.strip()
