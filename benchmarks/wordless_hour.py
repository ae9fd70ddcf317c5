"""Makes an hour of sound in which nobody says a word: 27 kinds, five levels each, and as many seeds as are wanted.

`wordless` holds ten fixed minutes. This is the corpus that the hallucination filter is judged on: another seed draws
other noise, other notes, other crowds, so what holds for several seeds was not fitted to one. Needs `sox` and
`espeak-ng`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks import wordless
from benchmarks.wordless import CHUNK_S, low_passed, mix_in, note, samples_in, scaled, time_axis
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples

#: Root mean square below full scale, in decibels: from a quiet room to a microphone that is about to clip.
LEVELS_DB = (-45.0, -35.0, -25.0, -15.0, -6.0)

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chunk:
    """30 s without a word: what kind of sound it is, its level in decibels, and its samples."""

    kind: str
    level_db: float
    samples: Samples

    @property
    def name(self) -> str:
        return f"{self.kind} {self.level_db:g} dB"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a chunk: small enough to be handed to another process."""

    seed: int
    kind: str
    level: int

    def make(self) -> Chunk:
        """Makes the chunk, from numbers that no other recipe draws."""
        generator = np.random.default_rng([self.seed, list(KINDS).index(self.kind), self.level])
        level_db = LEVELS_DB[self.level]
        return Chunk(self.kind, level_db, scaled(KINDS[self.kind](generator), level_db))


def recipes(seed: int) -> list[Recipe]:
    """Lists the 135 chunks of a seed: every kind at every level."""
    return [Recipe(seed, kind, level) for kind in KINDS for level in range(len(LEVELS_DB))]


def colored(exponent: float) -> Callable[[Generator], Sound]:
    """Noise whose power changes with frequency to the power of `exponent`: 0 white, -1 pink, -2 brown, 1 blue."""

    def make(generator: Generator) -> Sound:
        return _shaped(generator, lambda hertz: np.maximum(hertz, 20.0) ** (exponent / 2))

    return make


def band(generator: Generator) -> Sound:
    """Noise between two frequencies drawn by lot, an octave apart at least."""
    low = float(generator.uniform(60, 2500))
    high = low * float(generator.uniform(2, 6))
    return _shaped(generator, lambda hertz: ((hertz > low) & (hertz < high)).astype(float))


def telephone(generator: Generator) -> Sound:
    """An open telephone line: noise in the band of speech, with a hum below it."""
    line = _shaped(generator, lambda hertz: ((hertz > 300) & (hertz < 3400)).astype(float))
    return line / np.std(line) + 0.3 * np.sin(2 * np.pi * 350 * time_axis(CHUNK_S))


def formants(generator: Generator) -> Sound:
    """Noise with the three resonances of a vowel, which move: what is nearest to a whisper without being one."""
    centers = generator.uniform((300, 900, 2300), (800, 2100, 3200))
    return _shaped(generator, lambda hertz: sum(1 / (1 + ((hertz - center) / 90) ** 2) for center in centers))


def wind(generator: Generator) -> Sound:
    """Gusts against a microphone."""
    return low_passed(generator.standard_normal(_length()), 250) * _gusts(generator, 0.4)


def surf(generator: Generator) -> Sound:
    """Waves on a beach, which come about as often as breaths."""
    return colored(-0.7)(generator) * _gusts(generator, 0.25) ** 2


def rain(generator: Generator) -> Sound:
    """Drops over a soft hiss."""
    sound = 0.15 * generator.standard_normal(_length())
    at = generator.integers(0, _length(), 9000)
    sound[at] += generator.standard_normal(len(at)) * 3
    return low_passed(sound, 5000)


def hum(generator: Generator) -> Sound:
    """Mains, with its harmonics, under an amplifier's hiss."""
    hertz, axis = float(generator.choice([50.0, 60.0])), time_axis(CHUNK_S)
    harmonics = sum(
        np.sin(2 * np.pi * hertz * number * axis + generator.uniform(0, 6)) / number ** generator.uniform(0.8, 1.6)
        for number in range(1, 14)
    )
    return np.asarray(harmonics) + 0.03 * generator.standard_normal(len(axis))


def tones(generator: Generator) -> Sound:
    """Steady tones, sweeps and two-tone signals, one after another."""
    sound = np.zeros(_length())
    for start_s in np.arange(0, CHUNK_S - 3, 3.0):
        axis = time_axis(2.5)
        first, second = generator.uniform(150, 2500, 2)
        kind = generator.integers(3)
        phase = np.cumsum(np.linspace(first, second, len(axis)) if kind == 1 else np.full(len(axis), first))
        tone = np.sin(2 * np.pi * phase / SAMPLE_RATE_HZ)
        mix_in(sound, tone + (np.sin(2 * np.pi * second * axis) if kind == 2 else 0), float(start_s))
    return sound


def siren(generator: Generator) -> Sound:
    """A siren that rises and falls, with overtones and a street behind it."""
    axis = time_axis(CHUNK_S)
    hertz = generator.uniform(500, 800) * (1 + 0.35 * np.sin(2 * np.pi * generator.uniform(0.2, 3) * axis))
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE_HZ
    return sum(np.sin(phase * number) / number for number in range(1, 5)) + 0.2 * colored(-1)(generator) / 3


def clicks(generator: Generator) -> Sound:
    """Crackles of a record."""
    sound = 0.01 * generator.standard_normal(_length())
    at = generator.integers(0, _length(), 600)
    sound[at] += generator.standard_normal(len(at)) * 2
    return sound


def typing(generator: Generator) -> Sound:
    """Keys of a keyboard, in bursts as words are typed."""
    sound = 0.003 * generator.standard_normal(_length())
    at_s = 0.2
    while at_s < CHUNK_S - 1:
        for _ in range(int(generator.integers(2, 9))):
            key = generator.standard_normal(samples_in(0.05)) * np.exp(-time_axis(0.05) * generator.uniform(60, 150))
            mix_in(sound, low_passed(key, float(generator.uniform(1500, 6000))), at_s)
            at_s += float(generator.uniform(0.08, 0.25))
        at_s += float(generator.uniform(0.2, 1.5))
    return sound


def engine(generator: Generator) -> Sound:
    """An engine that is revved up and changes gear."""
    axis = time_axis(CHUNK_S)
    hertz = generator.uniform(40, 110) * (1 + generator.uniform(0.3, 1.2) * ((axis / generator.uniform(2, 6)) % 1))
    phase = np.cumsum(hertz) / SAMPLE_RATE_HZ
    return (phase % 1 - 0.5) + 0.5 * ((phase / 2) % 1 - 0.5) + 0.15 * generator.standard_normal(len(axis))


def applause(generator: Generator) -> Sound:
    """Many hands."""
    sound = np.zeros(_length())
    for start_s in generator.uniform(0, CHUNK_S - 0.1, 2500):
        clap = generator.standard_normal(samples_in(0.03)) * np.exp(-time_axis(0.03) * 150)
        mix_in(sound, generator.uniform(0.2, 1) * clap, float(start_s))
    return low_passed(sound, 4000)


def shots(generator: Generator) -> Sound:
    return wordless.shots(_seed(generator)).astype(np.float64)


def explosions(generator: Generator) -> Sound:
    return wordless.explosions(_seed(generator)).astype(np.float64)


def beeps(generator: Generator) -> Sound:
    return wordless.beeps(_seed(generator)).astype(np.float64)


def melody(generator: Generator) -> Sound:
    return wordless.melody(_seed(generator), float(generator.choice([0.0, 4.5, 6.0]))).astype(np.float64)


def chords(generator: Generator) -> Sound:
    return wordless.chords(_seed(generator), drums=False).astype(np.float64)


def band_with_drums(generator: Generator) -> Sound:
    return wordless.chords(_seed(generator), drums=True).astype(np.float64)


def song(generator: Generator) -> Sound:
    """A lead over chords and drums, as a game's title has it."""
    lead = wordless.melody(_seed(generator), 5.0).astype(np.float64)
    return lead + wordless.chords(_seed(generator), drums=True)


def organ(generator: Generator) -> Sound:
    """Long chords that swell, with vibrato: nearest to a choir."""
    sound = np.zeros(_length())
    for start_s in np.arange(0, CHUNK_S - 4, 3.0):
        for number in generator.choice([45, 52, 57, 60, 64, 67, 69], 3, replace=False):
            mix_in(sound, note(int(number), 3.5, 5.5), float(start_s))
    return sound


def far_crowd(generator: Generator) -> Sound:
    return wordless.crowd(_seed(generator), -20).astype(np.float64)


def near_crowd(generator: Generator) -> Sound:
    """Forty voices in the same room."""
    return wordless.crowd(_seed(generator), -20, muffled_above_hz=4000, hall_s=0.4).astype(np.float64)


#: Every kind, in the order in which it draws its numbers: new ones go to the end.
KINDS: dict[str, Callable[[Generator], Sound]] = {
    "white": colored(0),
    "pink": colored(-1),
    "brown": colored(-2),
    "blue": colored(1),
    "band": band,
    "telephone": telephone,
    "formants": formants,
    "wind": wind,
    "surf": surf,
    "rain": rain,
    "hum": hum,
    "tones": tones,
    "siren": siren,
    "clicks": clicks,
    "typing": typing,
    "engine": engine,
    "applause": applause,
    "shots": shots,
    "explosions": explosions,
    "beeps": beeps,
    "melody": melody,
    "chords": chords,
    "drums": band_with_drums,
    "song": song,
    "organ": organ,
    "far crowd": far_crowd,
    "near crowd": near_crowd,
}


def _length() -> int:
    return samples_in(CHUNK_S)


def _seed(generator: Generator) -> int:
    return int(generator.integers(2**31))


def _shaped(generator: Generator, gain: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Sound:
    """White noise through a filter given by its gain at each frequency."""
    spectrum = np.fft.rfft(generator.standard_normal(_length()))
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(_length(), 1 / SAMPLE_RATE_HZ)), _length())


def _gusts(generator: Generator, hertz: float) -> Sound:
    """A curve between 0.1 and about 2 that changes as often as `hertz` says."""
    points = generator.uniform(0.1, 2.0, max(4, int(CHUNK_S * hertz * 2)))
    return np.interp(np.linspace(0, len(points) - 1, _length()), np.arange(len(points)), points)
