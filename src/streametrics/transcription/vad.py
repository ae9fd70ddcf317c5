"""Voice activity detection: where somebody speaks, and the speech probability at any moment."""

import importlib.util
import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples

log = logging.getLogger(__name__)

#: Samples for which the detector gives one probability (32 ms).
HOP_SAMPLES = 512
#: Audio below this length is shorter than the shortest word.
MIN_SOUND_S = 0.3
#: A pause of this length ends a stretch of speech.
MIN_SILENCE_S = 0.3
#: A stretch begins at the first probability and goes on down to the second, as in Silero's own reader. The first is
#: below Silero's usual 0.5: decoding a stretch in vain costs a second, speech that is missed is lost.
SPEECH_THRESHOLD, CONTINUE_THRESHOLD = 0.35, 0.20
#: Amplitude below which nothing is amplified: about three steps of 16-bit sound.
NOISE_FLOOR = 1e-4
#: Seconds that the detector works on at once, which bounds its memory to about 150 MB.
BLOCK_S = 600


@dataclass(frozen=True, slots=True)
class SampleSpan:
    """A stretch of audio, in samples: `start` inclusive, `end` exclusive."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """Where somebody speaks in some audio. probabilities: of speech (0…1), for each hop."""

    spans: list[SampleSpan]
    probabilities: NDArray[np.float32]

    def speech_probability(self, start_s: float, end_s: float, *, over_s: float = 0.1) -> float:
        """Return the highest speech probability between two times, averaged over so many seconds."""
        first, last = int(start_s * SAMPLE_RATE_HZ / HOP_SAMPLES), int(end_s * SAMPLE_RATE_HZ / HOP_SAMPLES) + 1
        between = self.probabilities[max(0, first) : max(0, last)]
        hops = min(round(over_s * SAMPLE_RATE_HZ / HOP_SAMPLES), len(between))
        if hops == 0:
            return 0.0
        return float(np.convolve(between, np.full(hops, 1 / hops), "valid").max())

    def voiced_s(self, start_s: float, end_s: float) -> float:
        """Return for how many seconds somebody speaks between two times."""
        start, end = start_s * SAMPLE_RATE_HZ, end_s * SAMPLE_RATE_HZ
        return sum(max(0.0, min(span.end, end) - max(span.start, start)) for span in self.spans) / SAMPLE_RATE_HZ


def detect_speech(samples: Samples) -> VoiceActivity:
    """Find the stretches of speech, in order and without padding; no stretch for silence and noise."""
    if len(samples) < MIN_SOUND_S * SAMPLE_RATE_HZ or np.max(np.abs(samples)) < NOISE_FLOOR:
        return VoiceActivity([], np.zeros(0, np.float32))
    probabilities_of = _silero_probabilities if importlib.util.find_spec("faster_whisper") else _loudness_probabilities
    block = max(1, BLOCK_S * SAMPLE_RATE_HZ // HOP_SAMPLES) * HOP_SAMPLES
    probabilities = np.concatenate(
        [
            probabilities_of(_volume_leveled(samples[offset : offset + block]))
            for offset in range(0, len(samples), block)
        ]
    )
    return VoiceActivity(_speech_spans(probabilities, len(samples)), probabilities)


def _speech_spans(probabilities: NDArray[np.float32], length: int) -> list[SampleSpan]:
    """Join hops into stretches: from the first probable one until a pause."""
    spans: list[SampleSpan] = []
    start = quiet_since = None
    for hop, speech_probability in enumerate(probabilities.tolist()):
        if speech_probability >= SPEECH_THRESHOLD:
            start, quiet_since = hop if start is None else start, None
        elif start is not None and speech_probability < CONTINUE_THRESHOLD:
            quiet_since = hop if quiet_since is None else quiet_since
            if (hop - quiet_since) * HOP_SAMPLES >= MIN_SILENCE_S * SAMPLE_RATE_HZ:
                spans.append(SampleSpan(start * HOP_SAMPLES, quiet_since * HOP_SAMPLES))
                start = quiet_since = None
    if start is not None and start * HOP_SAMPLES < length:
        spans.append(SampleSpan(start * HOP_SAMPLES, length))
    return spans


def _volume_leveled(samples: Samples) -> Samples:
    """Amplify quiet stretches to the level of speech, for the detector alone: it misses what is quiet.

    The gain follows the loudest sample within a second, so that quiet speech after a loud noise counts.
    """
    step = SAMPLE_RATE_HZ // 2
    blocks = -(-len(samples) // step)
    padded = np.zeros(blocks * step, dtype=np.float32)
    padded[: len(samples)] = np.abs(samples)
    peaks: NDArray[np.float32] = padded.reshape(blocks, step).max(axis=1)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(peaks, 2), 5).max(axis=1)
    gain = np.where(around >= NOISE_FLOOR, 0.5 / np.maximum(around, NOISE_FLOOR), 1.0)
    centers = np.arange(blocks) * step + step / 2
    curve = np.interp(np.arange(len(samples)), centers, gain).astype(np.float32)
    leveled: Samples = np.clip(samples * curve, -1.0, 1.0).astype(np.float32)
    return leveled


def _silero_probabilities(samples: Samples) -> NDArray[np.float32]:
    """Run Silero's voice activity model, which comes with faster-whisper."""
    from faster_whisper.vad import get_vad_model

    between = get_vad_model()(np.pad(samples, (0, -len(samples) % HOP_SAMPLES)))
    probabilities: NDArray[np.float32] = np.asarray(between, np.float32).reshape(-1)
    return probabilities


def _loudness_probabilities(samples: Samples) -> NDArray[np.float32]:
    """Estimate by loudness where faster-whisper is not installed: tells audio from silence, not speech from noise."""
    log.warning("faster-whisper is not installed, so its voice detector is missing: noise may be taken for speech")
    padded = np.abs(np.pad(samples, (0, -len(samples) % HOP_SAMPLES))).reshape(-1, HOP_SAMPLES)
    probabilities: NDArray[np.float32] = (padded.max(axis=1) > NOISE_FLOOR * 10).astype(np.float32)
    return probabilities
