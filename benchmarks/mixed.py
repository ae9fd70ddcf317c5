"""Makes short clips in which several voices speak in turn, as live streams have them: where an engine gives up midway.

Eight kinds, each clip drawn from its own seed, so a larger set holds the smaller one; 5 to 29 s. What is said is known
for each stretch. Needs `espeak-ng`, and for the announcers Asterisk's packages (`spoken`); `ANYWHERE` does without.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.voices import VOICES, Line, leveled, lines
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples

MIN_S, MAX_S = 5.0, 29.0
GAP_S = (0.2, 3.0)
#: Pauses between the sentences that one voice says.
BREATH_S = (0.2, 0.5)
SHORT_S, LONG_S = 3.0, 6.0
#: Levels of a voice beside one at -20 dB: next to the microphone, across the room, on another device.
LEVELS_DB = (-14.0, -20.0, -26.0, -32.0, -40.0)
#: The voices of each language; without the announcers, they need no packages.
EVERYONE = VOICES
ANYWHERE = {
    language: found
    for language, voices in VOICES.items()
    if (found := tuple(voice for voice in voices if voice != "announcer"))
}

Cast = dict[str, tuple[str, ...]]
#: Lines and the seconds of silence after each.
Script = list[tuple[Line, float]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one voice says without a change of language: its times in the mix, the text, the language."""

    start_s: float
    end_s: float
    text: str
    language: str
    voice: str


@dataclass(frozen=True, slots=True)
class Mix:
    """A clip of several stretches of speech."""

    name: str
    kind: str
    samples: Samples
    stretches: tuple[Stretch, ...]


class Draw:
    """Draws voices, sentences and gaps for one mix."""

    def __init__(self, seed: str, cast: Cast) -> None:
        self.lot = random.Random(seed)  # noqa: S311 - a fixed seed is the point
        self.cast = cast

    def gap_s(self, least_s: float = GAP_S[0], most_s: float = GAP_S[1]) -> float:
        """A pause, drawn so that short ones are as likely as long ones."""
        return float(np.exp(self.lot.uniform(np.log(least_s), np.log(most_s))))

    def languages(self, count: int, *, least_voices: int = 1) -> list[str]:
        """Different languages, each with at least so many voices; one with more voices comes more often."""
        lots = [code for code, voices in self.cast.items() if len(voices) >= least_voices for _ in voices]
        found: list[str] = []
        while len(found) < count:
            found.append(self.lot.choice([code for code in lots if code not in found]))
        return found

    def voices(self, language: str, count: int) -> list[str]:
        return self.lot.sample(self.cast[language], count)

    def short(self, language: str, voice: str | None = None, most_s: float = SHORT_S) -> Line:
        """One sentence of at most so many seconds, or the shortest that the voice has."""
        found = lines(language, voice or self.lot.choice(self.cast[language]))
        return self.lot.choice(
            [line for line in found if line.seconds <= most_s] or [min(found, key=lambda line: line.seconds)]
        )

    def long(self, language: str, voice: str | None = None, least_s: float = LONG_S) -> Line:
        """Sentences of one voice, at least so many seconds of them if it has as many."""
        found = lines(language, voice or self.lot.choice(self.cast[language]))
        parts: list[Line] = []
        for line in self.lot.sample(found, len(found)):
            if sum(part.seconds for part in parts) < least_s and line.seconds < 2 * least_s:
                parts.append(line)
        parts = parts or [min(found, key=lambda line: line.seconds)]
        pieces = [piece for part in parts for piece in (silence(self.lot.uniform(*BREATH_S)), part.samples)]
        return replace(parts[0], samples=np.concatenate(pieces[1:]), text=" ".join(part.text for part in parts))


def short_then_long(draw: Draw) -> Script:
    """A short phrase of one voice, then another that goes on."""
    [language] = draw.languages(1, least_voices=2)
    first, second = draw.voices(language, 2)
    return [(draw.short(language, first), draw.gap_s()), (draw.long(language, second, draw.lot.uniform(6, 13)), 0.0)]


def alert(draw: Draw) -> Script:
    """A synthetic voice between two parts of what somebody says, in the same language or in another."""
    [language] = draw.languages(1)
    alerting = language if draw.lot.random() < 0.6 and "synthetic" in draw.cast[language] else "en"
    voice = draw.lot.choice([each for each in draw.cast[language] if each != "synthetic"])
    first, second = draw.long(language, voice, draw.lot.uniform(4, 8)), draw.long(language, voice, 6)
    between = draw.short(alerting, "synthetic", most_s=5)
    return [(first, draw.gap_s(most_s=1.5)), (between, draw.gap_s(most_s=1.5)), (second, 0.0)]


def greeting(draw: Draw) -> Script:
    """A short phrase in one language, then a long one in another."""
    first, second = draw.languages(2)
    return [(draw.short(first), draw.gap_s()), (draw.long(second, least_s=draw.lot.uniform(6, 13)), 0.0)]


def other_language(draw: Draw) -> Script:
    """Two languages, a good while each."""
    first, second = draw.languages(2)
    return [(draw.long(first, least_s=draw.lot.uniform(4, 9)), draw.gap_s()), (draw.long(second), 0.0)]


def four_languages(draw: Draw) -> Script:
    """Four languages, one after the other."""
    return [(draw.long(language, least_s=2.5), draw.gap_s(most_s=1.5)) for language in draw.languages(4)]


def repeated(draw: Draw) -> Script:
    """One sentence four to ten times, with a pause or without."""
    [language] = draw.languages(1)
    line = draw.short(language, most_s=4)
    pause_s = draw.lot.choice([0.0, draw.gap_s(most_s=1.5)])
    return [(line, pause_s)] * draw.lot.randint(4, 10)


def three_voices(draw: Draw) -> Script:
    """Three voices of a language, short and long by turns."""
    [language] = draw.languages(1, least_voices=3)
    chosen = [
        draw.short(language, voice) if draw.lot.random() < 0.5 else draw.long(language, voice, 5)
        for voice in draw.voices(language, 3)
    ]
    return [(line, draw.gap_s(most_s=2)) for line in chosen]


def loudness(draw: Draw) -> Script:
    """Two voices, one much louder than the other, and the first once more."""
    [language] = draw.languages(1, least_voices=2)
    first, second = draw.voices(language, 2)
    script = [draw.short(language, first), draw.long(language, second, 5), draw.short(language, first)]
    level_db, other_db = draw.lot.sample(LEVELS_DB, 2)
    levels = (level_db, other_db, level_db)
    return [
        (replace(line, samples=leveled(line.samples, level)), draw.gap_s(most_s=2))
        for line, level in zip(script, levels, strict=True)
    ]


KINDS: dict[str, Callable[[Draw], Script]] = {
    "short then long": short_then_long,
    "alert": alert,
    "greeting": greeting,
    "other language": other_language,
    "four languages": four_languages,
    "repeated": repeated,
    "three voices": three_voices,
    "loudness": loudness,
}


def mixes(count: int, kinds: Sequence[str] = tuple(KINDS), cast: Cast = EVERYONE) -> Iterator[Mix]:
    """So many mixes, the kinds by turns. Raises SpeechMissing where the announcers are wanted and not there."""
    for number in range(count):
        yield made(kinds[number % len(kinds)], number // len(kinds), cast)


def made(kind: str, number: int, cast: Cast = EVERYONE) -> Mix:
    """The mix of a kind by its number: always the same one. What is too short or too long is drawn again."""
    draw = Draw(f"{kind} {number}", cast)
    while True:
        script = KINDS[kind](draw)
        seconds = sum(line.seconds + gap_s for line, gap_s in script)
        if MIN_S <= seconds <= MAX_S:
            return _joined(f"{kind} {number}", kind, script)


def _joined(name: str, kind: str, script: Script) -> Mix:
    pieces: list[Samples] = []
    stretches: list[Stretch] = []
    for line, gap_s in script:
        start_s = sum(map(len, pieces)) / SAMPLE_RATE_HZ
        stretches.append(Stretch(start_s, start_s + line.seconds, line.text, line.language, line.voice))
        pieces += [line.samples, silence(gap_s)]
    return Mix(name, kind, np.concatenate(pieces), tuple(stretches))


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)
