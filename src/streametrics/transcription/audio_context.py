"""Shortens Whisper's 30 s window before encoding: the audio, and some silence after it.

The model was trained on 30 s, padded with silence, and on a processor without instructions for narrow numbers the
encoder is half of a chunk's time. What less silence does to the words is measured in docs/decisions/0023.
"""

from collections.abc import Sequence
from itertools import pairwise

from streametrics.domain.transcript import DecodingStatistics
from streametrics.transcription.hallucination_filter import COMPRESSION_RATIO_THRESHOLD, LOGPROB_THRESHOLD

#: Whisper's spectrogram: frames in a second, and in the 30 s of a whole window.
FRAMES_PER_SECOND, WINDOW_FRAMES = 100, 3000
#: Words between two timestamps less than this apart, in steps of 0.02 s, were not said: no word is so short.
MIN_TIMESTAMP_STEPS = 5
#: The least of audio and silence together, and what their sum is rounded up to, in frames of the spectrogram.
MIN_FRAMES = 10 * FRAMES_PER_SECOND
STEP_FRAMES = FRAMES_PER_SECOND


def frames_to_encode(frames: int, silence_frames: int) -> int:
    """Return how many frames of the spectrogram to encode, WINDOW_FRAMES at most, where `frames` hold audio.

    silence_frames: how many an engine needs after the audio.
    """
    rounded = -(-(frames + silence_frames) // STEP_FRAMES) * STEP_FRAMES
    return min(WINDOW_FRAMES, max(MIN_FRAMES, rounded))


def needs_full_padding(statistics: DecodingStatistics, tokens: Sequence[int], *, timestamp_begin: int) -> bool:
    """Decide whether a shortened window is decoded again with the full 30 s that the model was trained on.

    tokens: of the decoded text; those from `timestamp_begin` on are timestamps.
    """
    is_doubtful = (
        statistics.average_logprob < LOGPROB_THRESHOLD or statistics.compression_ratio > COMPRESSION_RATIO_THRESHOLD
    )
    return is_doubtful or _has_implausible_timestamps(tokens, timestamp_begin)


def _has_implausible_timestamps(tokens: Sequence[int], timestamp_begin: int) -> bool:
    """Tell whether words stand between timestamps that leave no time for them, as at the beginning of a loop."""
    times = [at for at, token in enumerate(tokens) if token >= timestamp_begin]
    return any(
        second - first > 1 and tokens[second] - tokens[first] < MIN_TIMESTAMP_STEPS for first, second in pairwise(times)
    )
