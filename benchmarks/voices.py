"""Collects sentences by voice, for mixes of several voices: each trimmed, at one level, with its text and language.

Announcers are Asterisk's (see `spoken`), presenters those of the tests' clips, the president and the reader come from
the clip by which engines are measured, and the synthetic voices from `espeak-ng`, as alerts of a live stream do.
Left out is what the base model does not hear alone either (Hindi, Polish, some greetings): a mix is to show what mixing
costs.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks import spoken
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.transcription import engine_benchmark
from tests.support import sounds

#: Voices by language; `announcer` wants Asterisk's packages, all others are there wherever the tests run.
VOICES: dict[str, tuple[str, ...]] = {
    "en": ("announcer", "presenter", "president", "reader", "synthetic"),
    "es": ("announcer", "presenter", "synthetic"),
    "fr": ("announcer", "presenter"),
    "it": ("announcer", "presenter", "synthetic"),
    "ru": ("announcer",),
    "pt": ("presenter",),
    "ja": ("presenter",),
    "zh": ("presenter",),
}
PRESENTED = {
    "en": ("hello_world", "quick_brown_fox", "counting"),
    "es": ("pangrama", "conteo"),
    "fr": ("bonjour_monde", "pangrama", "comptage"),
    "it": ("ciao_mondo", "pangrama", "conteggio"),
    "pt": ("pangrama",),
    "ja": ("konnichiwa_sekai", "kazoeru"),
    "zh": ("nihao_shijie", "jishu"),
}
SYNTHETIC = {
    "en": (
        "Thank you for the donation, I hope you enjoy the stream.",
        "Do not forget to drink some water and take a short break.",
        "The next round will start in about five minutes.",
        "Welcome back to the show.",
        "We have reached the goal of the day, thank you very much.",
    ),
    "es": (
        "Muchas gracias por la ayuda, nos vemos mañana por la tarde.",
        "El próximo partido comienza en cinco minutos.",
        "Buenos días a todos.",
    ),
    "it": ("Grazie mille per il vostro aiuto, ci vediamo domani.", "La prossima partita comincia tra cinque minuti."),
}
#: Where the reader takes over in the clip by which engines are measured, and where each of the three sentences ends.
TRIAL = (
    ("president", sounds.JFK_TEXT),
    (
        "reader",
        "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to do for "
        "them.",
    ),
    (
        "reader",
        "He was not an ill-disposed young man, unless to be rather cold-hearted and rather selfish is to be "
        "ill-disposed.",
    ),
)
TRIAL_CUTS_S = (0.0, 11.0, 18.0, 26.4)
#: What is shorter is a word or a beep; what has more words a second was not read as it is written.
MIN_S, MAX_WORDS_PER_S = 1.0, 4.5
LEVEL_DB = -20.0


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence that one voice says: samples without silence around them, its text, and the text's language."""

    samples: Samples
    text: str
    language: str
    voice: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


@cache
def lines(language: str, voice: str) -> tuple[Line, ...]:
    """All sentences of a voice in a language, in an order that stays. Raises SpeechMissing for an announcer."""
    match voice:
        case "announcer":
            said = [(sounds.read(file), text) for file, text in spoken.sentences(language)]
        case "presenter":
            clips = [sounds.clip(f"{language}/{name}") for name in PRESENTED[language]]
            said = [(clip.samples(), clip.text) for clip in clips]
        case "synthetic":
            said = [(_synthesized(text, language), text) for text in SYNTHETIC[language]]
        case _:
            whole = engine_benchmark.clip()
            cuts = [round(at * SAMPLE_RATE_HZ) for at in TRIAL_CUTS_S]
            parts = zip(TRIAL, cuts, cuts[1:], strict=False)
            said = [(whole[start:end], text) for (who, text), start, end in parts if who == voice]
    made = [Line(leveled(trimmed(samples)), text, language, voice) for samples, text in said]
    return tuple(
        line
        for line in made
        if voice != "announcer" or (line.seconds >= MIN_S and len(line.text.split()) <= MAX_WORDS_PER_S * line.seconds)
    )


def trimmed(samples: Samples) -> Samples:
    """The samples without silence at both ends, but for 50 ms."""
    [loud] = np.nonzero(np.abs(samples) > 0.02 * np.max(np.abs(samples)))
    margin = SAMPLE_RATE_HZ // 20
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


def leveled(samples: Samples, level_db: float = LEVEL_DB) -> Samples:
    """The same sound with its speech (pauses do not count) so many decibels below full scale."""
    loud = np.abs(samples) > 0.02 * np.max(np.abs(samples))
    power = float(np.sqrt(np.mean(np.square(samples[loud]))))
    made: Samples = np.clip(samples * (10 ** (level_db / 20) / power), -1, 1).astype(np.float32)
    return made


def _synthesized(text: str, language: str) -> Samples:
    voice = {"en": "en-us"}.get(language, language)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "voice.wav")
        subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(file), text], check=True)
        return sounds.read(file)
