"""What is counted in mixes of several voices."""

import numpy as np
import pytest

from benchmarks import lost
from benchmarks.answers import Answer
from benchmarks.listeners import answered
from benchmarks.lost import Tally, tally, wordless_s
from benchmarks.mixed import Mix, Stretch
from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.domain.transcript import FilterReason, Segment, TimeSpan, Transcript, Word
from streametrics.transcription.vad import SampleSpan, VoiceActivity

MIX = Mix(
    "greeting 0",
    "greeting",
    np.zeros(10 * SAMPLE_RATE_HZ, dtype=np.float32),
    (
        Stretch(0.0, 2.0, "Bonjour le monde.", "fr", "presenter"),
        Stretch(3.0, 10.0, "Ask not what your country can do for you.", "en", "president"),
    ),
)


@pytest.fixture(autouse=True)
def voice(monkeypatch: pytest.MonkeyPatch) -> None:
    activity = VoiceActivity([span(0, 2), span(3, 10)], np.zeros(0, np.float32))
    monkeypatch.setattr(lost, "detect_speech", lambda samples: activity)


def span(start_s: float, end_s: float) -> SampleSpan:
    return SampleSpan(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ))


def test_all_words_at_their_place_leave_nothing_to_count() -> None:
    found = tally(
        MIX, Answer("Bonjour, le monde! Ask not what your country can do for you.", 1, spans=[[0, 2], [3, 10]])
    )

    assert found == Tally(words=12, stretches=2, voiced_s=9.0)


def test_a_stretch_that_is_missing_is_lost_missed_and_without_words() -> None:
    found = tally(MIX, Answer("Bonjour le monde.", 1, spans=[[0, 2]]))

    assert (found.lost, found.announced, found.missed, found.replaced) == (9, 0, 1, 0)
    assert found.wordless_s == pytest.approx(7)
    assert found.worst == [(9, "greeting 0")]


def test_a_warning_of_the_place_announces_what_is_lost() -> None:
    warned = Answer("Bonjour le monde.", 1, spans=[[0, 2]], unheard=[[3.1, 9.8]])
    elsewhere = Answer("Bonjour le monde.", 1, spans=[[0, 2]], unheard=[[0, 2]])

    assert tally(MIX, warned).announced == 9
    assert tally(MIX, elsewhere).announced == 0


def test_a_translated_stretch_is_replaced() -> None:
    text = "Bonjour le monde. Ne demandez pas ce que votre pays peut faire."

    found = tally(MIX, Answer(text, 1, spans=[[0, 10]]))

    assert (found.lost, found.missed, found.replaced) == (0, 0, 1)


@pytest.mark.parametrize(
    ("heard", "seconds"),
    [
        ([], 9.0),
        ([[0, 2], [3, 10]], 0.0),
        # A segment that is stretched over all of it hides what is missing.
        ([[0, 10]], 0.0),
        # Times of words are uncertain by 0.3 s, and what is then shorter than 0.5 s is a breath.
        ([[0, 2], [3, 6], [7, 10]], 0.0),
        ([[0, 2], [3, 6], [8, 10]], 1.4),
        ([[8, 10], [0, 2]], 4.7),
        ([[0, 2], [3, 4], [4, 5]], 4.7),
    ],
)
def test_voice_without_words_is_measured(heard: list[list[float]], seconds: float) -> None:
    assert wordless_s([span(0, 2), span(3, 10)], heard) == pytest.approx(seconds)


def test_tallies_add_up() -> None:
    one = tally(MIX, Answer("Bonjour le monde.", 1, spans=[[0, 2]]))

    both = one + one

    assert (both.words, both.lost, both.stretches) == (24, 18, 4)
    assert both.lost_share == one.lost_share == pytest.approx(75)
    assert both.worst == [(9, "greeting 0"), (9, "greeting 0")]


def test_times_of_words_count_where_there_are_any() -> None:
    told = Segment(0, 9, "Hello world.", words=(Word(0.1, 0.5, " Hello"), Word(0.6, 1.0, " world.")))
    silent = Segment(9, 10, "Bye.")

    found = answered(Transcript((told, silent), "en", {FilterReason.LOOP: 2}, (TimeSpan(4, 8),)))

    assert found == Answer("Hello world. Bye.", 0, {"loop": 2}, [[0.1, 0.5], [0.6, 1.0], [9, 10]], [[4, 8]])
