"""How much of Whisper's 30 s the encoder is given: the sound, and some silence behind it.

The model was taught on 30 s, filled up with silence, and on a processor without instructions for narrow numbers the
encoder is half of a chunk's time. What less silence does to the words is measured in docs/decisions/0023.
"""

from collections.abc import Sequence
from itertools import pairwise

from streametrics.domain.transcript import Evidence
from streametrics.transcription.hallucination_filter import LEAST_LOGPROB, MOST_COMPRESSED

#: Whisper's spectrogram: frames in a second, and in the 30 s of a whole window.
FRAMES_PER_SECOND, WINDOW_FRAMES = 100, 3000
#: Words between two timestamps that are less than this apart, in steps of 0.02 s, were not said: shorter than a sound.
SHORTEST_STEPS = 5
#: The least of sound and silence together, and what that is rounded up to, in frames of the spectrogram.
LEAST_FRAMES = 10 * FRAMES_PER_SECOND
STEP_FRAMES = FRAMES_PER_SECOND


def frames_to_encode(frames: int, silence_frames: int) -> int:
    """Frames of the spectrogram, WINDOW_FRAMES at most, that are worth encoding where so many hold sound.

    silence_frames: how many an engine needs behind the sound.
    """
    rounded = -(-(frames + silence_frames) // STEP_FRAMES) * STEP_FRAMES
    return min(WINDOW_FRAMES, max(LEAST_FRAMES, rounded))


def needs_all_silence(answer: Evidence, tokens: Sequence[int], *, timestamp_begin: int) -> bool:
    """Whether what was heard with less silence than the model was taught on should be heard again with all of it.

    tokens: the answer's; those from `timestamp_begin` on are timestamps.
    """
    is_doubtful = answer.average_logprob < LEAST_LOGPROB or answer.compression_ratio > MOST_COMPRESSED
    return is_doubtful or _is_hurried(tokens, timestamp_begin)


def _is_hurried(tokens: Sequence[int], timestamp_begin: int) -> bool:
    """Whether words stand between timestamps that leave no time for them: so a loop begins."""
    times = [at for at, token in enumerate(tokens) if token >= timestamp_begin]
    return any(
        second - first > 1 and tokens[second] - tokens[first] < SHORTEST_STEPS for first, second in pairwise(times)
    )
