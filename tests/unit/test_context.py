"""How much of a window is encoded."""

import numpy as np
import pytest

from streametrics.transcribers.context import frames_to_encode


@pytest.mark.parametrize(
    ("frames", "encoded"),
    [(0, 1000), (120, 1000), (500, 1000), (501, 1100), (1970, 2500), (2501, 3000), (3000, 3000)],
)
def test_the_sound_and_some_silence_are_encoded_and_never_more_than_a_window(frames: int, encoded: int) -> None:
    assert frames_to_encode(frames) == encoded


def test_what_fills_a_window_up_is_told_from_sound() -> None:
    faster_whisper = pytest.importorskip("streametrics.transcribers.faster_whisper")
    window = np.zeros((80, 3000), dtype=np.float32)
    assert faster_whisper._frames_of_sound(window) == 0
    window[3, 699] = -0.1

    assert faster_whisper._frames_of_sound(window) == 700
