"""Which words are believed, by the sound's evidence and the engine's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.domain.transcript import Evidence, LeftOut, Segment
from streametrics.transcription.hallucination_filter import Judge, count, cut_loop
from streametrics.transcription.vad import HOP, Span, Voice

SURE = Evidence(average_logprob=-0.2, no_speech=0.05, compression_ratio=1.2, temperature=0.0, ended=True)
GUESSED = Evidence(average_logprob=-1.2, no_speech=0.8, compression_ratio=1.0, temperature=1.0, ended=True)
NO_END = Evidence(average_logprob=-0.1, no_speech=0.05, compression_ratio=9.0, temperature=1.0, ended=False)
NOT_TOLD = Evidence(average_logprob=-0.1, no_speech=0.05, compression_ratio=9.0, temperature=1.0)


@pytest.fixture
def judge() -> Judge:
    """Twenty seconds: somebody speaks from 2 to 8 s, hums at 12 s, and may mumble from 14 to 16."""
    chances = np.zeros(round(20 * SAMPLE_RATE_HZ / HOP), np.float32)
    chances[_hop(2) : _hop(8)] = 0.95
    chances[_hop(12) : _hop(12.5)] = 0.2
    chances[_hop(14) : _hop(16)] = 0.4
    spans = [Span(start * SAMPLE_RATE_HZ, end * SAMPLE_RATE_HZ) for start, end in ((2, 8), (14, 16))]
    return Judge(Voice(spans, chances))


def _hop(seconds: float) -> int:
    return int(seconds * SAMPLE_RATE_HZ / HOP)


def test_what_is_said_by_a_voice_is_believed(judge: Judge) -> None:
    segment = Segment(2.1, 7.5, "and so my fellow Americans", SURE)

    assert judge.believed(segment) == segment
    assert judge.left_out == {}


def test_words_where_nobody_speaks_are_left_out_however_sure_the_engine_is(judge: Judge) -> None:
    assert judge.believed(Segment(7.0, 9.5, "Thanks for watching!", SURE), offset_s=10) is None
    assert judge.left_out == {LeftOut.NOBODY: 3}


@pytest.mark.parametrize("start", [8.3, 11.0])
def test_a_little_voice_beside_or_in_them_is_enough_for_sure_words(judge: Judge, start: float) -> None:
    # Given words whose time is a little late, or in which the detector was not sure
    assert judge.believed(Segment(start, start + 2, "go on", SURE)) is not None


@pytest.mark.parametrize(
    ("evidence", "start", "believed"),
    [
        (GUESSED, 3.0, False),
        # Doubtful words are kept where somebody speaks and the engine does not take it for silence.
        (Evidence(-1.2, 0.3, 1.0, 1.0), 3.0, True),
        (Evidence(-1.2, 0.3, 1.0, 1.0), 11.0, False),
        # And where only one of Whisper's two figures speaks against them, unless there is hardly a voice.
        (Evidence(-0.8, 0.9, 1.0, 0.0), 3.0, True),
        (Evidence(-0.8, 0.9, 1.0, 0.0), 11.0, False),
        (Evidence(-0.4, 0.9, 1.0, 0.0), 11.0, True),
        # Not so long a voice, but never a sure one.
        (Evidence(-0.8, 0.9, 1.0, 0.0), 14.0, False),
    ],
)
def test_guesses_are_left_out(judge: Judge, evidence: Evidence, start: float, believed: bool) -> None:
    assert (judge.believed(Segment(start, start + 2, "you", evidence)) is not None) == believed
    assert judge.left_out == ({} if believed else {LeftOut.GUESS: 1})


def test_a_loop_without_an_end_is_said_once(judge: Judge) -> None:
    found = judge.believed(Segment(2, 8, "We go to the " + "market, " * 60 + "now", NO_END))

    assert found is not None
    assert found.text == "We go to the market, now"
    assert judge.left_out == {LeftOut.LOOP: 59}


def test_a_loop_over_segments_ends_after_three(judge: Judge) -> None:
    found = [judge.believed(Segment(2 + 0.5 * number, 2.5 + 0.5 * number, "Thank you.", NO_END)) for number in range(9)]

    assert [segment is not None for segment in found] == [True] * 3 + [False] * 6
    assert judge.left_out == {LeftOut.LOOP: 12}


def test_a_chant_that_ends_by_itself_is_believed(judge: Judge) -> None:
    chant = Evidence(-0.2, 0.05, compression_ratio=9.0, temperature=0.0, ended=True)
    segment = Segment(2, 8, "Go on! " * 30, chant)

    assert judge.believed(segment) == segment


def test_where_the_engine_does_not_tell_a_chant_is_cut_to_what_time_allows(judge: Judge) -> None:
    # Given six seconds of voice, in which 36 words can be said
    assert judge.believed(Segment(2, 8, "Go on! " * 15, NOT_TOLD)) is not None
    assert judge.left_out == {}

    found = judge.believed(Segment(2, 8, "Go on! " * 100, NOT_TOLD))

    assert found is not None
    assert found.text == " ".join(["Go on!"] * 18)
    assert judge.left_out == {LeftOut.LOOP: 164}


def test_a_script_without_spaces_loops_too() -> None:
    assert cut_loop("ご視聴ありがとうございました" * 12, 0.0) == "ご視聴ありがとうございました"


@given(st.lists(st.sampled_from(["go", "on", "now"]), max_size=60), st.floats(0, 30))
def test_cutting_leaves_nothing_new_and_nothing_out_where_time_allows(words: list[str], voiced_s: float) -> None:
    text = " ".join(words)

    cut = cut_loop(text, voiced_s)

    assert set(cut.split()) == set(words)
    assert count(cut) <= len(words)
    if len(words) <= voiced_s * 6 - 1:
        assert cut == text
