"""Ten minutes of sound in which nobody says a word, made when it is wanted: whatever an engine writes was invented.

Noise and plucked strings come from `sox`, the crowd's voices from `espeak-ng`, the rest from numpy; every seed is
fixed. The crowd speaks syllables drawn by lot, so that no true word can be picked out of it: forty voices at once,
through a wall (nothing above 1.5 kHz) and a large hall.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from tests.support.sounds import read

CHUNK_S = 30.0
#: Voices of the crowd; espeak-ng knows them all without further packages.
VOICES = ("en-us", "en-gb", "de", "fr", "es", "it", "pt", "pl", "ru", "nl")
VARIANTS = ("m1", "m3", "m5", "f1", "f2", "f4")
CROWD = 40


@dataclass(frozen=True, slots=True)
class Wordless:
    """A chunk of 30 s: what kind of sound it is, and the samples."""

    kind: str
    samples: Samples


def chunks(*, quick: bool = False) -> Iterator[Wordless]:
    """Twenty chunks of 30 s, 600 s in all; `quick`: the first of each kind."""
    for kind, makers in KINDS.items():
        for maker in makers[:1] if quick else makers:
            made = maker()
            assert len(made) == CHUNK_S * SAMPLE_RATE_HZ, kind
            yield Wordless(kind, made)


def scaled(samples: NDArray[np.floating], level_db: float) -> Samples:
    """The same sound at a level below full scale (root mean square, in decibels), limited to -1…1."""
    power = float(np.sqrt(np.mean(np.square(samples)))) or 1.0
    return np.clip(samples * (10 ** (level_db / 20) / power), -1, 1).astype(np.float32)


def colored(color: str, level_db: float, seconds: float = CHUNK_S) -> Samples:
    """`white`, `pink` or `brown` noise."""
    return scaled(_sox("synth", f"{seconds:g}", f"{color}noise"), level_db)


def silence() -> Samples:
    return np.zeros(samples_in(CHUNK_S), dtype=np.float32)


def dither() -> Samples:
    """What a converter delivers with the microphone unplugged: one step of 16-bit sound."""
    return (np.random.default_rng(1).integers(-1, 2, samples_in(CHUNK_S)) / 32768).astype(np.float32)


def hum(hertz: float, level_db: float) -> Samples:
    """A mains hum with its harmonics, and the noise of a cheap amplifier below it."""
    time_s = time_axis(CHUNK_S)
    harmonics = sum(np.sin(2 * np.pi * hertz * number * time_s) / number**1.3 for number in range(1, 12))
    return scaled(np.asarray(harmonics) + 0.02 * np.random.default_rng(2).standard_normal(len(time_s)), level_db)


def tones() -> Samples:
    """A steady tone, a sweep, a ringing telephone, and the keys of one."""
    time_s = time_axis(CHUNK_S / 4)
    steady = np.sin(2 * np.pi * 1000 * time_s)
    sweep = np.sin(2 * np.pi * (100 * time_s + 250 * time_s**2))
    ringing = (np.sin(2 * np.pi * 440 * time_s) + np.sin(2 * np.pi * 480 * time_s)) * ((time_s % 3) < 1.2)
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    keys = np.zeros(len(time_s))
    for number in range(int(CHUNK_S / 4 / 0.5)):
        inside = (time_s >= number * 0.5) & (time_s < number * 0.5 + 0.2)
        for hertz in (rows[number % 4], columns[number % 3]):
            keys += inside * np.sin(2 * np.pi * hertz * time_s)
    return scaled(np.concatenate([steady, sweep, ringing, keys]), -18)


def melody(seed: int, vibrato_hz: float) -> Samples:
    """One instrument alone, with overtones and vibrato: the nearest that music without a singer comes to a voice."""
    generator = np.random.default_rng(seed)
    sound = np.zeros(samples_in(CHUNK_S))
    position_s = 0.0
    while position_s < CHUNK_S - 1:
        length_s = float(generator.choice([0.25, 0.5, 0.5, 1.0]))
        key = int(generator.choice([57, 60, 62, 64, 67, 69, 72]))
        mix_in(sound, note(key, length_s, vibrato_hz), position_s)
        position_s += length_s
    return scaled(sound, -20)


def chords(seed: int, *, drums: bool) -> Samples:
    """Four chords over and over, with a bass and, if wanted, drums."""
    generator = np.random.default_rng(seed)
    sound = np.zeros(samples_in(CHUNK_S))
    for bar in range(int(CHUNK_S / 2)):
        root = (57, 53, 60, 55)[bar % 4]
        for key in (root - 12, root, root + 4 - (bar % 4 == 0), root + 7):
            mix_in(sound, note(key, 2.0, 0.0), bar * 2.0)
        for beat in range(8 if drums else 0):
            hit = generator.standard_normal(samples_in(0.2)) * np.exp(-time_axis(0.2) * (60 if beat % 2 else 25))
            mix_in(sound, 2 * hit, bar * 2.0 + beat * 0.25)
    return scaled(sound, -18)


def strings() -> Samples:
    """Plucked strings, from sox."""
    notes = [_sox("synth", "1.5", "pluck", name) for name in ("A3", "C4", "E4", "G4", "A4", "D4", "F4", "C5")]
    sound = np.zeros(samples_in(CHUNK_S))
    order = np.random.default_rng(5).integers(0, len(notes), int(CHUNK_S / 0.4))
    for number, chosen in enumerate(order):
        mix_in(sound, notes[chosen], number * 0.4)
    return scaled(sound, -20)


def shots(seed: int) -> Samples:
    """Gunfire: single shots and bursts, near and far."""
    generator = np.random.default_rng(seed)
    sound = 0.002 * generator.standard_normal(samples_in(CHUNK_S))
    position_s = 0.3
    while position_s < CHUNK_S - 1:
        loudness = generator.uniform(0.1, 1.0)
        for number in range(int(generator.choice([1, 1, 5, 9]))):
            decay = generator.uniform(18, 40)
            shot = generator.standard_normal(samples_in(0.35)) * np.exp(-time_axis(0.35) * decay)
            mix_in(sound, loudness * shot, position_s + number * 0.1)
        position_s += float(generator.uniform(0.5, 3.0))
    return scaled(sound, -20)


def explosions(seed: int) -> Samples:
    """Explosions that roll away, over a rumbling engine that changes gear."""
    generator = np.random.default_rng(seed)
    rumble = low_passed(_sox("synth", f"{CHUNK_S:g}", "brownnoise").astype(np.float64), 300)
    time_s = time_axis(CHUNK_S)
    pitch_hz = 60 + 40 * ((time_s / 4) % 1)
    engine = ((np.cumsum(pitch_hz) / SAMPLE_RATE_HZ) % 1 - 0.5) * 0.05
    sound = engine + 0.02 * rumble / np.max(np.abs(rumble))
    for start_s in np.arange(1, CHUNK_S - 4, 3.5):
        blast = low_passed(generator.standard_normal(samples_in(3.0)), float(generator.uniform(400, 2500)))
        mix_in(sound, blast / np.max(np.abs(blast)) * np.exp(-time_axis(3.0) * 1.8), float(start_s))
    return scaled(sound, -18)


def beeps(seed: int) -> Samples:
    """A console of the eighties: square waves, lasers that fall, coins that ring."""
    generator = np.random.default_rng(seed)
    sound = np.zeros(samples_in(CHUNK_S))
    position_s = 0.2
    while position_s < CHUNK_S - 1:
        length_s = float(generator.uniform(0.06, 0.4))
        time_s = time_axis(length_s)
        start_hz, end_hz = generator.uniform(200, 2000), generator.uniform(100, 2500)
        phase = np.cumsum(np.linspace(start_hz, end_hz, len(time_s))) / SAMPLE_RATE_HZ
        mix_in(sound, np.sign(np.sin(2 * np.pi * phase)) * np.exp(-time_s * 4), position_s)
        position_s += length_s + float(generator.uniform(0.05, 1.0))
    return scaled(sound, -24)


def crowd(seed: int, level_db: float, *, muffled_above_hz: float = 1500, hall_s: float = 1.2) -> Samples:
    """Forty voices, of which nobody says a word; far away if nothing else is said. See the module."""
    generator = np.random.default_rng(seed)
    sound = np.zeros(samples_in(CHUNK_S))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(CROWD):
            voice = f"{VOICES[number % len(VOICES)]}+{VARIANTS[number % len(VARIANTS)]}"
            spoken = _speak(_syllables(generator, 110), voice, int(generator.integers(130, 210)), Path(folder))
            mix_in(sound, generator.uniform(0.4, 1.0) * spoken, float(generator.uniform(-8, 2)))
    hall = generator.standard_normal(samples_in(hall_s)) * np.exp(-time_axis(hall_s) * 6 / hall_s)
    far = low_passed(_convolved(sound, hall), muffled_above_hz)
    return scaled(far + 0.02 * np.std(far) * generator.standard_normal(len(far)), level_db)


#: Every kind with the makers of its chunks.
KINDS: dict[str, list[Callable[[], Samples]]] = {
    "silence": [dither, silence],
    "noise": [
        lambda: colored("pink", -30),
        lambda: colored("white", -40),
        lambda: colored("brown", -25),
        lambda: colored("white", -20),
    ],
    "hum": [lambda: hum(50, -30), lambda: hum(60, -45)],
    "tones": [tones],
    "music": [
        lambda: melody(11, 5.5),
        lambda: chords(12, drums=True),
        lambda: chords(13, drums=False),
        strings,
        lambda: melody(14, 0.0),
    ],
    "game": [
        lambda: shots(21),
        lambda: explosions(22),
        lambda: beeps(23),
    ],
    "crowd": [lambda: crowd(31, -32), lambda: crowd(32, -40), lambda: crowd(33, -26)],
}


def babble(seed: int, seconds: float = CHUNK_S) -> Samples:
    """The crowd at a level to be mixed; repeated where more is wanted."""
    once = crowd(seed, -20)
    return np.tile(once, -(-samples_in(seconds) // len(once)))[: samples_in(seconds)]


def samples_in(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def time_axis(seconds: float) -> NDArray[np.float64]:
    return np.arange(samples_in(seconds)) / SAMPLE_RATE_HZ


def mix_in(sound: NDArray[np.float64], part: NDArray[np.floating], start_s: float) -> None:
    """Mix `part` in, cut to what fits; a start before the beginning leaves its head out."""
    start = samples_in(start_s)
    part = part[max(0, -start) :]
    start = max(0, start)
    part = part[: len(sound) - start]
    sound[start : start + len(part)] += part


def note(number: int, seconds: float, vibrato_hz: float) -> NDArray[np.float64]:
    """A tone with six overtones, by its number on a keyboard of 128 keys."""
    time_s = time_axis(seconds)
    hertz = 440 * 2 ** ((number - 69) / 12) * (1 + 0.01 * np.sin(2 * np.pi * vibrato_hz * time_s))
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE_HZ
    tone = sum(np.sin(phase * overtone) / overtone for overtone in range(1, 8))
    envelope = np.minimum(1, np.minimum(time_s / 0.02, (seconds - time_s) / 0.08))
    return np.asarray(tone * envelope)


def low_passed(sound: NDArray[np.float64], hertz: float) -> NDArray[np.float64]:
    """Fades above `hertz` by 24 decibels an octave."""
    frequencies = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    return np.fft.irfft(np.fft.rfft(sound) / np.sqrt(1 + (frequencies / hertz) ** 8), len(sound))


def _convolved(sound: NDArray[np.float64], hall: NDArray[np.float64]) -> NDArray[np.float64]:
    length = len(sound) + len(hall)
    return np.fft.irfft(np.fft.rfft(sound, length) * np.fft.rfft(hall, length), length)[: len(sound)]


def _syllables(generator: np.random.Generator, words: int) -> str:
    """Words of no language, two to four syllables each."""

    def word() -> str:
        return "".join(
            generator.choice(list("bdfgklmnprstvz")) + generator.choice(list("aeiou"))
            for _ in range(int(generator.integers(2, 5)))
        )

    return " ".join(word() for _ in range(words))


def _speak(text: str, voice: str, words_per_minute: int, folder: Path) -> Samples:
    file = folder / "voice.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-w", str(file), text], check=True)
    return read(file)


def _sox(*effects: str) -> Samples:
    """Sound out of nothing; `-R`: the same whenever it is made."""
    command = ["sox", "-R", "-n", "-r", str(SAMPLE_RATE_HZ), "-c", "1", "-t", "f32", "-", *effects]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, dtype="<f4")
