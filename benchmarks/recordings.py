"""Real speech to measure speed with: Asterisk's English announcements (CC BY-SA 3.0), joined as a stream has them."""

import random
from pathlib import Path

import av
import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from tests.support.media import plain_wav
from tests.support.sounds import read

#: Debian's `asterisk-core-sounds-en-wav` puts them here.
FOLDER = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
CHUNK_S = 30
#: Shorter files are single words and signals; sentences are this far apart.
SENTENCE_MIN_S = 1.5
PAUSE_S = 0.4
#: What the browser extension records.
UPLOAD_RATE_HZ = 44_100


class SpeechMissing(Exception):
    """The speech to measure with is not there; the message says how to get it."""


def chunks(count: int | None = None) -> list[Samples]:
    """Different chunks of exactly 30 s, each 16 kHz mono; all there are, or the first `count`. Raises SpeechMissing."""
    files = sorted(FOLDER.rglob("*.wav"))
    if not files:
        raise SpeechMissing(f"No speech in {FOLDER}: run 'apt-get install asterisk-core-sounds-en-wav'")
    random.Random(0).shuffle(files)  # noqa: S311 - a fixed order is the point
    length = CHUNK_S * SAMPLE_RATE_HZ
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    found: list[Samples] = []
    parts: list[Samples] = []
    for file in files:
        sound = read(file)
        if len(sound) < SENTENCE_MIN_S * SAMPLE_RATE_HZ:
            continue
        if sum(map(len, parts)) + len(sound) > length and parts:
            joined = np.concatenate(parts)[:length]
            found.append(np.pad(joined, (0, length - len(joined))))
            parts = []
            if len(found) == count:
                break
        parts += [sound, pause]
    return found


def recording(minutes: int) -> Samples:
    """So many minutes of speech: all chunks, and again in another order until it is long enough."""
    lot, all_chunks = random.Random(1), chunks()  # noqa: S311
    wanted = minutes * 60 // CHUNK_S
    chosen: list[Samples] = []
    while len(chosen) < wanted:
        chosen += lot.sample(all_chunks, len(all_chunks))
    return np.concatenate(chosen[:wanted])


def upload(samples: Samples) -> bytes:
    """The same sound as the extension sends it: WAV, 44.1 kHz, mono, 16 bits; 2.6 MB for 30 s."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=UPLOAD_RATE_HZ)
    frame = av.AudioFrame.from_ndarray((np.clip(samples, -1, 1) * 32_767).astype("<i2")[None, :], "s16", "mono")
    frame.sample_rate = SAMPLE_RATE_HZ
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    resampled = np.concatenate([each.to_ndarray()[0] for each in frames])
    return plain_wav(resampled.astype(np.float32) / np.float32(32_767), UPLOAD_RATE_HZ)
