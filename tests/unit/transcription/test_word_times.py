"""Words stay in order, inside their segment, and move to where the voice is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.domain.transcript import Segment, TimeSpan, Word
from streametrics.transcription.vad import HOP_SAMPLES, SampleSpan, VoiceActivity
from streametrics.transcription.windowing import place_segment
from streametrics.transcription.word_times import MIN_WORD_S, fit_words, move_to_voice

HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
moments = st.floats(0, 40)
spans = st.lists(st.tuples(moments, moments), max_size=12)


def words_at(*times: tuple[float, float]) -> list[Word]:
    return [Word(start, end, f" w{number}") for number, (start, end) in enumerate(times)]


def times_of(words: tuple[Word, ...]) -> list[tuple[float, float]]:
    return [(word.start, word.end) for word in words]


@given(spans, st.integers(0, 20), st.integers(0, 20))
def test_words_are_in_order_and_inside_whatever_their_times(
    times: list[tuple[float, float]], start: int, length: int
) -> None:
    fitted = fit_words(words_at(*times), start, start + length)

    edges = [edge for word in fitted for edge in (word.start, word.end)]
    assert [word.text for word in fitted] == [word.text for word in words_at(*times)]
    assert edges == sorted(edges)
    assert all(start <= edge <= start + length for edge in edges)
    if length:
        assert all(word.end - word.start >= MIN_WORD_S - 0.001 for word in fitted)


def test_words_that_fit_stay_as_they_are() -> None:
    words = words_at((1.0, 1.5), (1.5, 2.0), (2.4, 3.0))

    assert fit_words(words, 1.0, 3.0) == tuple(words)


@given(spans, spans, st.integers(0, 20), st.integers(0, 20))
def test_words_at_pauses_are_in_order_and_inside_too(
    times: list[tuple[float, float]], quiet: list[tuple[float, float]], start: int, length: int
) -> None:
    edges = sorted(edge for pause in quiet for edge in pause)
    pauses = [TimeSpan(one, two) for one, two in zip(edges[::2], edges[1::2], strict=True)]
    words = fit_words(words_at(*times), start, start + length)

    moved = move_to_voice(words, pauses, start_s=start, end_s=start + length)

    found = [edge for word in moved for edge in (word.start, word.end)]
    assert [word.text for word in moved] == [word.text for word in words]
    assert found == sorted(found)
    assert all(start <= edge <= start + length for edge in found)


def test_a_border_in_or_shortly_before_a_pause_moves_to_its_edges() -> None:
    # Given attention that leaves the first word 0.4 s too early, and a third word that begins in a pause
    words = words_at((0.0, 0.8), (0.8, 2.3), (2.3, 3.0))
    pauses = [TimeSpan(1.2, 1.3), TimeSpan(2.0, 2.5)]

    assert times_of(move_to_voice(words, pauses, start_s=0.0, end_s=3.0)) == [(0.0, 1.2), (1.3, 2.0), (2.5, 3.0)]


def test_a_word_wholly_in_a_pause_goes_to_the_voice() -> None:
    words = words_at((0.0, 1.0), (1.2, 1.5), (2.4, 3.0))

    (_, second, third) = move_to_voice(words, [TimeSpan(1.0, 2.0)], start_s=0.0, end_s=3.0)

    assert second.start >= 2.0 or second.end <= 1.0
    assert (third.start, third.end) == (2.4, 3.0)


def test_two_pauses_do_not_take_the_same_border() -> None:
    # Given borders that are both nearest to the first pause
    words = words_at((0.0, 0.9), (0.9, 1.1), (1.1, 2.0))
    pauses = [TimeSpan(1.0, 1.1), TimeSpan(1.5, 1.6)]

    assert times_of(move_to_voice(words, pauses, start_s=0.0, end_s=2.0)) == [(0.0, 1.0), (1.1, 1.5), (1.6, 2.0)]


def test_a_pause_inside_of_a_word_is_no_border() -> None:
    words = words_at((0.0, 3.0), (3.0, 3.5))

    assert times_of(move_to_voice(words, [TimeSpan(1.4, 1.5)], start_s=0.0, end_s=3.5)) == [(0.0, 3.0), (3.0, 3.5)]


@pytest.fixture
def voice_activity() -> VoiceActivity:
    """Ten seconds: somebody speaks from 2 to 4 s and from 4.2 to 6 s, which is one stretch to the detector."""
    hops = np.arange(round(10 / HOP_S)) * HOP_S
    probabilities = np.where(((hops >= 2) & (hops < 4)) | ((hops >= 4.2) & (hops < 6)), 0.9, 0.05).astype(np.float32)
    return VoiceActivity([SampleSpan(2 * SAMPLE_RATE_HZ, 6 * SAMPLE_RATE_HZ)], probabilities)


def test_pauses_are_found_to_a_hop(voice_activity: VoiceActivity) -> None:
    found = voice_activity.pauses(1.0, 7.0)

    assert [(pause.start_s, pause.end_s) for pause in found] == [
        (pytest.approx(1.0, abs=HOP_S), pytest.approx(2.0, abs=HOP_S)),
        (pytest.approx(4.0, abs=HOP_S), pytest.approx(4.2, abs=HOP_S)),
        (pytest.approx(6.0, abs=HOP_S), pytest.approx(7.0, abs=HOP_S)),
    ]
    assert voice_activity.pauses(2.5, 3.5) == []
    assert voice_activity.pauses(20.0, 21.0) == []


def test_words_are_placed_with_their_segment(voice_activity: VoiceActivity) -> None:
    # Given a window from 1 s on, words whose border lies before the pause, and a segment that is too long
    segment = Segment(0.5, 6.5, " Go on", words=(Word(0.5, 2.8, " Go"), Word(2.8, 6.5, " on")))

    placed = place_segment(segment, SampleSpan(SAMPLE_RATE_HZ, 8 * SAMPLE_RATE_HZ), voice_activity, after_s=0.0)

    assert (placed.start, placed.end) == (1.7, 6.3)
    first, second = placed.words
    assert (first.start, first.end) == (pytest.approx(2.0, abs=HOP_S), pytest.approx(4.0, abs=HOP_S))
    assert (second.start, second.end) == (pytest.approx(4.2, abs=HOP_S), pytest.approx(6.0, abs=HOP_S))


def test_words_stay_behind_what_was_said_before(voice_activity: VoiceActivity) -> None:
    segment = Segment(2.0, 5.0, "Go on", words=tuple(words_at((2.0, 2.5), (2.5, 5.0))))

    placed = place_segment(segment, SampleSpan(0, 8 * SAMPLE_RATE_HZ), voice_activity, after_s=3.0)

    assert placed.start == 3.0
    assert all(one.end <= two.start for one, two in pairwise(placed.words))
    assert placed.words[0].start >= 3.0
