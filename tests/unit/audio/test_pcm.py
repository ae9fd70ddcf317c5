"""Samples in their forms."""

import numpy as np

from streametrics.audio.pcm import to_float32, to_int16


def test_samples_are_kept_to_the_bit() -> None:
    pcm = np.arange(-32_768, 32_768, dtype=np.int16)
    assert (to_int16(to_float32(pcm)) == pcm).all()
