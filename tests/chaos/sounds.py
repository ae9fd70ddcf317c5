"""Sounds for the stub engine: what becomes of it stands in their loudness."""

from functools import cache

from tests.support.media import plain_wav, tone

ORDINARY, DIES, HANGS, HANGS_IN_C = 0.3, 0.6, 0.7, 0.8
#: Two loudnesses that are nearer than this are the same.
NEAR = 0.03


@cache
def sound(seconds: float = 1.0, loudness: float = ORDINARY) -> bytes:
    """A WAV file that small costs little to send."""
    return plain_wav(tone(seconds, 16_000, level=loudness), 16_000)
