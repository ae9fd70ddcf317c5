"""How much of Whisper's 30 s the encoder is given: the sound, and some silence behind it.

The model was taught on 30 s, filled up with silence, and on a processor without instructions for narrow numbers the
encoder is half of a chunk's time. What less silence does to the words is measured in docs/decisions/0023.
"""

#: Whisper's spectrogram: frames in a second, and in the 30 s of a whole window.
FRAMES_PER_SECOND, WINDOW_FRAMES = 100, 3000
#: Silence behind the sound, the least of both together, and what that is rounded up to, in frames of the spectrogram.
SILENCE_FRAMES = 5 * FRAMES_PER_SECOND
LEAST_FRAMES = 10 * FRAMES_PER_SECOND
STEP_FRAMES = FRAMES_PER_SECOND


def frames_to_encode(frames: int) -> int:
    """Frames of the spectrogram, WINDOW_FRAMES at most, that are worth encoding where so many hold sound."""
    rounded = -(-(frames + SILENCE_FRAMES) // STEP_FRAMES) * STEP_FRAMES
    return min(WINDOW_FRAMES, max(LEAST_FRAMES, rounded))
