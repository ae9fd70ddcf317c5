"""Windows over stretches of speech, and how an engine is led over them."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.transcription import vad, windowing
from streametrics.transcription.vad import SampleSpan, detect_speech
from streametrics.transcription.windowing import build_windows, split_in_half
from tests.support import sounds

WINDOW = int(windowing.WINDOW_S * SAMPLE_RATE_HZ)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[list[SampleSpan], int]:
    """Stretches of speech as the detector finds them: in order, with pauses between; and the sound's length."""
    spans: list[SampleSpan] = []
    position = draw(st.integers(0, 60 * SAMPLE_RATE_HZ))
    for _ in range(draw(st.integers(0, 25))):
        end = position + draw(st.integers(512, 45 * SAMPLE_RATE_HZ))
        spans.append(SampleSpan(position, end))
        position = end + draw(st.integers(int(vad.MIN_SILENCE_S * SAMPLE_RATE_HZ), 40 * SAMPLE_RATE_HZ))
    return spans, (spans[-1].end if spans else 0) + draw(st.integers(0, 20 * SAMPLE_RATE_HZ))


@given(stretches())
def test_windows_hold_all_speech_once(case: tuple[list[SampleSpan], int]) -> None:
    spans, length = case
    overhang = length - WINDOW if WINDOW < length <= WINDOW + windowing.OVERHANG_S * SAMPLE_RATE_HZ else 0

    found = build_windows(spans, length)

    for one, two in pairwise(found):
        assert one.end <= two.start
    for window in found:
        inside = [span for span in spans if span.start < window.end and span.end > window.start]
        assert inside
        assert 0 <= window.start < window.end <= length
        assert len(window) <= WINDOW or len(inside) == 1
    for span in spans:
        assert any(window.start <= span.start and min(span.end, length - overhang) <= window.end for window in found)


@given(stretches())
def test_a_window_is_cut_into_halves_in_a_pause_or_not_at_all(case: tuple[list[SampleSpan], int]) -> None:
    spans, length = case
    least = windowing.MIN_HALF_WINDOW_S * SAMPLE_RATE_HZ

    for window in build_windows(spans, length):
        parts = split_in_half(window, spans)
        inside = [span for span in spans if span.start < window.end and span.end > window.start]
        pauses = [(one.end, two.start) for one, two in pairwise(inside)]
        possible = [
            (end, start) for end, start in pauses if window.start + least <= (end + start) // 2 <= window.end - least
        ]
        if len(parts) == 1:
            assert parts == [window]
            assert not possible
        else:
            first, second = parts
            assert (first.start, second.end) == (window.start, window.end)
            assert first.end == second.start
            assert any(end < first.end < start for end, start in possible)
            assert min(len(first), len(second)) >= least


def test_halves_are_as_equal_as_the_pauses_allow() -> None:
    second = SAMPLE_RATE_HZ
    spans = [SampleSpan(0, 9 * second), SampleSpan(10 * second, 16 * second), SampleSpan(17 * second, 28 * second)]

    assert split_in_half(SampleSpan(0, 28 * second), spans) == [
        SampleSpan(0, 33 * second // 2),
        SampleSpan(33 * second // 2, 28 * second),
    ]


def test_a_live_chunk_is_one_window() -> None:
    # Speech up to both edges, and a recorder that is a tenth of a second late.
    length = int(30.1 * SAMPLE_RATE_HZ)

    assert build_windows([SampleSpan(0, 200_000), SampleSpan(210_000, length)], length) == [SampleSpan(0, WINDOW)]


def test_long_silence_is_left_out() -> None:
    fox = sounds.clip("en/quick_brown_fox").samples()
    samples = np.concatenate([sounds.silence(20), fox, sounds.silence(30), fox])

    spans = detect_speech(samples).spans
    found = build_windows(spans, len(samples))

    assert len(found) == 2
    assert sum(len(window) for window in found) < 12 * SAMPLE_RATE_HZ


def test_speech_across_two_blocks_is_one_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    fox = sounds.clip("en/quick_brown_fox").samples()
    whole = detect_speech(fox).spans
    monkeypatch.setattr(vad, "BLOCK_S", 1)

    in_blocks = detect_speech(fox).spans

    assert in_blocks[0].start == pytest.approx(whole[0].start, abs=4000)
    assert in_blocks[-1].end == pytest.approx(whole[-1].end, abs=4000)
    assert len(in_blocks) <= len(whole) + 1


def test_without_the_detector_loudness_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    samples = np.concatenate([sounds.silence(3), sounds.clip("en/quick_brown_fox").samples(), sounds.silence(3)])

    assert detect_speech(sounds.silence(5)).spans == []
    spans = detect_speech(samples).spans

    assert spans[0].start == pytest.approx(3 * SAMPLE_RATE_HZ, abs=8000)
    assert spans[-1].end <= len(samples)
