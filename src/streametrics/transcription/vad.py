"""Where somebody speaks, and how sure that is at any moment."""

import importlib.util
import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples

log = logging.getLogger(__name__)

#: The detector tells of this many samples at a time (32 ms).
HOP = 512
#: Sound that is shorter than the shortest word.
SHORTEST_SOUND_S = 0.3
#: A pause at which the sound may be cut.
PAUSE_S = 0.3
#: Below Silero's usual 0.5: a stretch heard for nothing costs a second, speech that is left out is lost. Once somebody
#: speaks, they are taken to go on down to the second number, as Silero's own reader has it.
THRESHOLD, GOES_ON = 0.35, 0.20
#: Amplitude below which nothing is amplified: about three steps of 16-bit sound.
NOISE_FLOOR = 1e-4
#: The detector works on this much at once, which bounds its memory to about 150 MB.
BLOCK_S = 600


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of sound, in samples: `start` inclusive, `end` exclusive."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Voice:
    """What was found in a sound. chances: that somebody speaks (0…1), for each hop."""

    spans: list[Span]
    chances: NDArray[np.float32]

    def chance(self, start_s: float, end_s: float, *, over_s: float = 0.1) -> float:
        """The best chance between two moments that somebody speaks, as a mean over so many seconds."""
        first, last = int(start_s * SAMPLE_RATE_HZ / HOP), int(end_s * SAMPLE_RATE_HZ / HOP) + 1
        heard = self.chances[max(0, first) : max(0, last)]
        hops = min(round(over_s * SAMPLE_RATE_HZ / HOP), len(heard))
        if hops == 0:
            return 0.0
        return float(np.convolve(heard, np.full(hops, 1 / hops), "valid").max())

    def voiced_s(self, start_s: float, end_s: float) -> float:
        """For how long somebody speaks between two moments."""
        start, end = start_s * SAMPLE_RATE_HZ, end_s * SAMPLE_RATE_HZ
        return sum(max(0.0, min(span.end, end) - max(span.start, start)) for span in self.spans) / SAMPLE_RATE_HZ


def find_voice(samples: Samples) -> Voice:
    """The stretches in which somebody speaks, in order, without padding. None for silence and noise."""
    if len(samples) < SHORTEST_SOUND_S * SAMPLE_RATE_HZ or np.max(np.abs(samples)) < NOISE_FLOOR:
        return Voice([], np.zeros(0, np.float32))
    listen = _chances_by_model if importlib.util.find_spec("faster_whisper") else _chances_by_level
    block = max(1, BLOCK_S * SAMPLE_RATE_HZ // HOP) * HOP
    chances = np.concatenate(
        [listen(_levelled(samples[offset : offset + block])) for offset in range(0, len(samples), block)]
    )
    return Voice(_stretches(chances, len(samples)), chances)


def _stretches(chances: NDArray[np.float32], length: int) -> list[Span]:
    """From where a voice is likely until it has been unlikely for as long as a pause."""
    spans: list[Span] = []
    start = quiet_since = None
    for hop, chance in enumerate(chances.tolist()):
        if chance >= THRESHOLD:
            start, quiet_since = hop if start is None else start, None
        elif start is not None and chance < GOES_ON:
            quiet_since = hop if quiet_since is None else quiet_since
            if (hop - quiet_since) * HOP >= PAUSE_S * SAMPLE_RATE_HZ:
                spans.append(Span(start * HOP, quiet_since * HOP))
                start = quiet_since = None
    if start is not None and start * HOP < length:
        spans.append(Span(start * HOP, length))
    return spans


def _levelled(samples: Samples) -> Samples:
    """Bring quiet stretches up to the level of speech, for the detector alone: it misses what is quiet.

    The gain follows the loudest sample within a second, so that quiet speech after a loud noise counts.
    """
    step = SAMPLE_RATE_HZ // 2
    blocks = -(-len(samples) // step)
    padded = np.zeros(blocks * step, dtype=np.float32)
    padded[: len(samples)] = np.abs(samples)
    peaks: NDArray[np.float32] = padded.reshape(blocks, step).max(axis=1)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(peaks, 2), 5).max(axis=1)
    gain = np.where(around >= NOISE_FLOOR, 0.5 / np.maximum(around, NOISE_FLOOR), 1.0)
    centres = np.arange(blocks) * step + step / 2
    curve = np.interp(np.arange(len(samples)), centres, gain).astype(np.float32)
    levelled: Samples = np.clip(samples * curve, -1.0, 1.0).astype(np.float32)
    return levelled


def _chances_by_model(samples: Samples) -> NDArray[np.float32]:
    """By Silero's voice activity model, which comes with faster-whisper."""
    from faster_whisper.vad import get_vad_model

    heard = get_vad_model()(np.pad(samples, (0, -len(samples) % HOP)))
    chances: NDArray[np.float32] = np.asarray(heard, np.float32).reshape(-1)
    return chances


def _chances_by_level(samples: Samples) -> NDArray[np.float32]:
    """By loudness, where faster-whisper is not installed: tells sound from silence, not speech from noise."""
    log.warning("faster-whisper is not installed, so its voice detector is missing: noise may be taken for speech")
    padded = np.abs(np.pad(samples, (0, -len(samples) % HOP))).reshape(-1, HOP)
    chances: NDArray[np.float32] = (padded.max(axis=1) > NOISE_FLOOR * 10).astype(np.float32)
    return chances
