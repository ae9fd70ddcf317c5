"""PCM samples: their types, their rate, and their raw form on disk."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

#: The rate that every Whisper model takes.
SAMPLE_RATE_HZ = 16_000

#: Mono sound at `SAMPLE_RATE_HZ`, shape (samples,), float32 in -1…1.
Samples = NDArray[np.float32]
#: Mono sound at `SAMPLE_RATE_HZ`, shape (samples,), int16.
Pcm = NDArray[np.int16]


def to_float32(block: Pcm) -> Samples:
    """Convert samples to Whisper's form, in -1…1."""
    return block.astype(np.float32) / np.float32(32_768)


def to_int16(samples: Samples) -> Pcm:
    """Convert samples back to 16 bits; what is too loud for them is clipped."""
    return np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype(np.int16)


def to_raw(block: Pcm) -> bytes:
    """Convert samples to their form on disk, s16le: a range of it can be read without the rest."""
    return block.astype("<i2", copy=False).tobytes()


def read_pcm(source: Path | BinaryIO, start_s: float = 0.0, end_s: float | None = None) -> Samples:
    """Read the samples between two times of raw samples (`to_raw`); what lies outside of the file is left out.

    source: a path, or an open seekable file, which stays open. end_s: None for the end of the file.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return read_pcm(file, start_s, end_s)
    start = max(0, round(start_s * SAMPLE_RATE_HZ))
    count = -1 if end_s is None else max(0, round(end_s * SAMPLE_RATE_HZ) - start)
    source.seek(2 * start)
    data = source.read(2 * count if count >= 0 else -1)
    return to_float32(np.frombuffer(data[: len(data) // 2 * 2], "<i2"))


def playable(samples: Samples) -> Samples:
    """Make samples finite: float WAV files may hold NaN and infinity, which would silence a whole window."""
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if not np.isfinite(samples).all():
        samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    return samples
