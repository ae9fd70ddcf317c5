"""Windows over stretches of speech, and how an engine is led over them."""

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.audio import voice
from streametrics.audio.voice import Span, windows
from streametrics.transcriber import SAMPLE_RATE_HZ, Samples, Segment
from tests import sounds

WINDOW = int(voice.WINDOW_S * SAMPLE_RATE_HZ)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Stretches of speech as the detector finds them: in order, with pauses between; and the sound's length."""
    spans: list[Span] = []
    position = draw(st.integers(0, 60 * SAMPLE_RATE_HZ))
    for _ in range(draw(st.integers(0, 25))):
        end = position + draw(st.integers(512, 45 * SAMPLE_RATE_HZ))
        spans.append(Span(position, end))
        position = end + draw(st.integers(int(voice.PAUSE_S * SAMPLE_RATE_HZ), 40 * SAMPLE_RATE_HZ))
    return spans, (spans[-1].end if spans else 0) + draw(st.integers(0, 20 * SAMPLE_RATE_HZ))


@given(stretches())
def test_windows_hold_all_speech_once(case: tuple[list[Span], int]) -> None:
    spans, length = case
    overhang = length - WINDOW if WINDOW < length <= WINDOW + voice.OVERHANG_S * SAMPLE_RATE_HZ else 0

    found = windows(spans, length)

    for one, two in pairwise(found):
        assert one.end <= two.start
    for window in found:
        inside = [span for span in spans if span.start < window.end and span.end > window.start]
        assert inside
        assert 0 <= window.start < window.end <= length
        assert len(window) <= WINDOW or len(inside) == 1
    for span in spans:
        assert any(window.start <= span.start and min(span.end, length - overhang) <= window.end for window in found)


def test_a_live_chunk_is_one_window() -> None:
    # Speech up to both edges, and a recorder that is a tenth of a second late.
    length = int(30.1 * SAMPLE_RATE_HZ)

    assert windows([Span(0, 200_000), Span(210_000, length)], length) == [Span(0, WINDOW)]


def test_long_silence_is_left_out() -> None:
    fox = sounds.clip("en/quick_brown_fox").samples()
    samples = np.concatenate([sounds.silence(20), fox, sounds.silence(30), fox])

    spans = voice.speech(samples)
    found = windows(spans, len(samples))

    assert len(found) == 2
    assert sum(len(window) for window in found) < 12 * SAMPLE_RATE_HZ


def test_speech_across_two_blocks_is_one_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    fox = sounds.clip("en/quick_brown_fox").samples()
    whole = voice.speech(fox)
    monkeypatch.setattr(voice, "BLOCK_S", 1)

    in_blocks = voice.speech(fox)

    assert in_blocks[0].start == pytest.approx(whole[0].start, abs=4000)
    assert in_blocks[-1].end == pytest.approx(whole[-1].end, abs=4000)
    assert len(in_blocks) <= len(whole) + 1


def test_without_the_detector_loudness_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    samples = np.concatenate([sounds.silence(3), sounds.clip("en/quick_brown_fox").samples(), sounds.silence(3)])

    assert voice.speech(sounds.silence(5)) == []
    spans = voice.speech(samples)

    assert spans[0].start == pytest.approx(3 * SAMPLE_RATE_HZ, abs=8000)
    assert spans[-1].end <= len(samples)


class Scripted:
    """An engine that takes each window for one segment in the next of `languages`, with times that overshoot."""

    def __init__(self, languages: list[tuple[str, float]], windows_at_once: int = 1) -> None:
        self.languages = languages
        self.model, self.known_languages = "scripted", ("en", "fr", "cy")
        self.windows_at_once = windows_at_once
        self.heard: list[str] = []
        self.batches: list[int] = []

    def detect_languages(self, heard: Sequence[voice.SpeechWindow]) -> list[tuple[str, float]]:
        return [self.languages.pop(0) for _ in heard]

    def decode(self, heard: Sequence[voice.SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment]]:
        self.batches.append(len(heard))
        for number, (window, language) in enumerate(zip(heard, languages, strict=True)):
            assert 0 < window.voiced_until_s <= len(window.samples) / SAMPLE_RATE_HZ
            self.heard.append(language)
            yield number, Segment(-1.0, 0.5, "  ")
            yield number, Segment(0.0, 99.0, f" in {language} ")


@pytest.fixture
def three_windows() -> Samples:
    numbers = sounds.clip("en/counting").samples()
    gap = sounds.silence(20)
    return np.concatenate([numbers, gap, numbers, numbers, gap, sounds.clip("en/hello_world").samples()])


def test_a_long_and_sure_window_changes_the_language(three_windows: Samples) -> None:
    # The second is long and sure, the third is sure but too short to be believed.
    engine = Scripted([("en", 0.3), ("fr", 0.9), ("cy", 0.99)])

    transcript = voice.transcribe_speech(engine, three_windows, speech_language=None, on_segment=None)

    assert engine.heard == ["en", "fr", "fr"]
    assert transcript.language == "fr"


@pytest.mark.parametrize(("at_once", "batches"), [(1, [1, 1, 1]), (2, [2, 1]), (8, [3])])
def test_windows_heard_together_are_like_windows_heard_alone(
    three_windows: Samples, at_once: int, batches: list[int]
) -> None:
    engine = Scripted([("en", 0.3), ("fr", 0.9), ("cy", 0.99)], at_once)

    together = voice.transcribe_speech(engine, three_windows, speech_language=None, on_segment=None)

    alone = Scripted([("en", 0.3), ("fr", 0.9), ("cy", 0.99)])
    assert together == voice.transcribe_speech(alone, three_windows, speech_language=None, on_segment=None)
    assert engine.batches == batches


def test_an_unsure_window_keeps_the_language(three_windows: Samples) -> None:
    engine = Scripted([("en", 0.9), ("fr", 0.4), ("fr", 0.9)])

    voice.transcribe_speech(engine, three_windows, speech_language=None, on_segment=None)

    assert engine.heard == ["en", "en", "en"]


def test_times_are_drawn_to_the_voice(three_windows: Samples) -> None:
    engine = Scripted([])

    transcript = voice.transcribe_speech(engine, three_windows, speech_language="en", on_segment=None)

    assert [segment.text for segment in transcript.segments] == ["in en"] * 3
    spans = voice.speech(three_windows)
    for segment in transcript.segments:
        start, end = segment.start * SAMPLE_RATE_HZ, segment.end * SAMPLE_RATE_HZ
        assert any(abs(span.start - start) <= voice.EDGE_S * SAMPLE_RATE_HZ + 16 for span in spans)
        assert any(abs(span.end - end) <= voice.EDGE_S * SAMPLE_RATE_HZ + 16 for span in spans)


def test_nothing_of_a_later_window_is_decoded_before_it_is_wanted(three_windows: Samples) -> None:
    engine = Scripted([])

    class Stopped(Exception):
        pass

    def stop(segment: Segment) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        voice.transcribe_speech(engine, three_windows, speech_language="en", on_segment=stop)

    assert engine.heard == ["en"]
