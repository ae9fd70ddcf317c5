"""How much of a window is encoded."""

import numpy as np
import pytest

from streametrics.domain.transcript import DecodingStatistics
from streametrics.transcription.audio_context import frames_to_encode, needs_full_padding
from streametrics.transcription.engines.faster_whisper import _audio_frames


@pytest.mark.parametrize(
    ("frames", "encoded"),
    [(0, 1000), (120, 1000), (500, 1000), (501, 1100), (1970, 2500), (2501, 3000), (3000, 3000)],
)
def test_the_sound_and_some_silence_are_encoded_and_never_more_than_a_window(frames: int, encoded: int) -> None:
    assert frames_to_encode(frames, 500) == encoded


@pytest.mark.parametrize(
    ("tokens", "logprob", "compression", "is_doubtful"),
    [
        pytest.param([1000, 7, 8, 1060, 1060, 9, 1100], -0.3, 1.2, False, id="sentences"),
        pytest.param([1000, 7, 8, 1060, 1061, 9, 1100], -0.3, 1.2, False, id="a-pause-of-a-step"),
        pytest.param([1000, 7, 8, 1060, 1060, 9, 1061, 1061, 9, 1062], -0.3, 1.2, True, id="words-in-no-time"),
        pytest.param([1000, 7, 8, 1060], -1.2, 1.2, True, id="unsure"),
        pytest.param([1000, 7, 8, 1060], -0.3, 2.5, True, id="repeats-itself"),
        pytest.param([], -0.3, 0.0, False, id="nothing"),
    ],
)
def test_what_is_doubtful_wants_all_of_the_silence(
    tokens: list[int], logprob: float, compression: float, is_doubtful: bool
) -> None:
    statistics = DecodingStatistics(logprob, 0.1, compression, 0.0, ended=True)

    assert needs_full_padding(statistics, tokens, timestamp_begin=1000) == is_doubtful


def test_what_fills_a_window_up_is_told_from_sound() -> None:
    window = np.zeros((80, 3000), dtype=np.float32)
    assert _audio_frames(window) == 0
    window[3, 699] = -0.1

    assert _audio_frames(window) == 700
