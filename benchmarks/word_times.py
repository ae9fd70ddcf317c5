"""How far words' times are from where the words are, and what they cost: single words placed at known times.

    python -m benchmarks.word_times [ENGINE ...]

The words are Asterisk's announcements of one word (`spoken`) and, where espeak-ng is installed, words of its voice;
each is cut to its voice and placed 0.05 to 1 s behind the one before. Words that were heard as another word count only
where as many were heard between two right ones as were said. The cost is measured with word times and without them, in
turns, in wall time and in processor time, as other programs disturb the first.
"""

import difflib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks import report, spoken
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Word
from streametrics.settings import Settings
from streametrics.transcription import engine_benchmark
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import Transcriber
from tests.support.sounds import read

ENGINES = ("openai-whisper-fast", "faster-whisper", "openai-whisper")
PACKAGES = ("openai-whisper", "faster-whisper", "ctranslate2", "torch", "numpy")
#: Seconds between words, one range for each clip of a language, and the longest clip.
GAPS_S, MAX_CLIP_S = ((0.05, 0.3), (0.05, 1.0)), 28.0
#: A word begins and ends where its loudness comes within this of its loudest moment, in decibels.
VOICE_DB = -38.0
#: Rounds of the cost, each once with word times and once without.
ROUNDS = 5
#: Plain words for espeak-ng.
ESPEAK_WORDS = (
    *("the", "weather", "is", "cold", "today", "but", "tomorrow", "we", "will", "have", "a", "lot", "of", "sunshine"),
    *("and", "warm", "air", "from", "the", "south", "please", "remember", "to", "bring", "your", "umbrella", "because"),
    *("nobody", "knows", "what", "happens", "next", "week", "my", "brother", "works", "in", "a", "small", "office"),
)


@dataclass(frozen=True, slots=True)
class PlacedClip:
    """A clip and the words in it, with their true times."""

    language: str
    samples: Samples
    words: list[Word]


def clips() -> list[PlacedClip]:
    """Make two clips for each language, and two of espeak-ng's voice where that is installed. Raises SpeechMissing."""
    made = []
    for language in spoken.PACKAGES:
        files = spoken.single_words(language)
        for number, gaps_s in enumerate(GAPS_S):
            lot = random.Random(f"{language} {number}")  # noqa: S311 - a fixed seed is the point
            chosen = lot.sample(sorted(files), 50)
            made.append(place(language, ((word, voice_of(read(files[word]))) for word in chosen), lot, gaps_s))
    if shutil.which("espeak-ng"):
        for number, gaps_s in enumerate(GAPS_S):
            lot = random.Random(number)  # noqa: S311 - as above
            made.append(place("en", ((word, voice_of(_espeak(word))) for word in ESPEAK_WORDS), lot, gaps_s))
    return made


def place(
    language: str, words: Iterator[tuple[str, Samples]], lot: random.Random, gaps_s: tuple[float, float]
) -> PlacedClip:
    """Place words behind each other, with gaps drawn by lot, until the clip is full."""
    parts, placed, at = [np.zeros(SAMPLE_RATE_HZ // 3, np.float32)], [], SAMPLE_RATE_HZ // 3
    for text, samples in words:
        if at + len(samples) > MAX_CLIP_S * SAMPLE_RATE_HZ:
            break
        placed.append(Word(at / SAMPLE_RATE_HZ, (at + len(samples)) / SAMPLE_RATE_HZ, text))
        gap = np.zeros(round(lot.uniform(*gaps_s) * SAMPLE_RATE_HZ), np.float32)
        parts += [samples, gap]
        at += len(samples) + len(gap)
    return PlacedClip(language, np.concatenate(parts), placed)


def voice_of(samples: Samples) -> Samples:
    """Cut the silence before and after a word, to 10 ms."""
    step = SAMPLE_RATE_HZ // 100
    level = np.sqrt(np.mean(np.square(samples[: len(samples) // step * step].reshape(-1, step)), axis=1))
    loud = np.flatnonzero(level > level.max() * 10 ** (VOICE_DB / 20))
    return samples[loud[0] * step : (loud[-1] + 1) * step]


def _espeak(word: str) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "word.wav"
        subprocess.run(["espeak-ng", "-v", "en", "-w", str(file), word], check=True)
        return read(file)


def pairs(said: list[Word], heard: list[Word]) -> list[tuple[Word, Word]]:
    """Pair the words that were said with those that were heard; the ones that cannot be told apart are left out."""
    heard = [word for word in heard if _letters(word.text)]
    matcher = difflib.SequenceMatcher(
        None, [_letters(word.text) for word in said], [_letters(word.text) for word in heard], autojunk=False
    )
    return [
        pair
        for kind, first, last, from_, until in matcher.get_opcodes()
        if kind == "equal" or (kind == "replace" and last - first == until - from_)
        for pair in zip(said[first:last], heard[from_:until], strict=True)
    ]


def _letters(text: str) -> str:
    return "".join(re.findall(r"\w+", text.lower()))


def errors(transcriber: Transcriber, among: list[PlacedClip]) -> tuple[list[float], list[float]]:
    """Return how far starts and ends are off, in seconds."""
    found = []
    for clip in among:
        transcript = transcriber.transcribe(clip.samples, speech_language=clip.language)
        found += pairs(clip.words, [word for segment in transcript.segments for word in segment.words])
    return [abs(one.start - two.start) for one, two in found], [abs(one.end - two.end) for one, two in found]


@contextmanager
def without_word_times(transcriber: Transcriber) -> Iterator[None]:
    """Let an engine tell no words in this block, and do none of the work for them."""
    nothing: Callable[..., list[object]] = lambda *_, **__: []  # noqa: E731 - one line each
    with ExitStack() as patches:
        match transcriber.engine:
            case "openai-whisper-fast":
                home = "streametrics.transcription.engines.fast.seek_loop"
                engine: Any = transcriber  # its parts are nobody else's business
                for block in engine.execution_contexts[0]._sampler._decoder._blocks:
                    patches.enter_context(patch.object(block, "alignment_heads", []))
            case "faster-whisper":
                home = "streametrics.transcription.engines.faster_whisper"
                patches.enter_context(patch(f"{home}._FasterWhisperModel._token_times", nothing))
            case _:
                home = "streametrics.transcription.engines.openai_whisper"
                patches.enter_context(patch(f"{home}.OpenAIWhisper._token_times", nothing))
        patches.enter_context(patch(f"{home}.words_of_segment", lambda segment, *_: segment))
        yield


def cost(transcriber: Transcriber) -> tuple[list[float], list[float], list[float], list[float]]:
    """Measure a chunk with word times and without, in turns: wall seconds with, without; processor seconds too."""
    samples = engine_benchmark.clip()
    measured: tuple[list[float], ...] = ([], [], [], [])
    transcriber.transcribe(samples, speech_language="en")
    for _ in range(ROUNDS):
        for number in (0, 1):
            with ExitStack() as block:
                if number:
                    block.enter_context(without_word_times(transcriber))
                wall, processor = time.perf_counter(), time.process_time()
                transcriber.transcribe(samples, speech_language="en")
                measured[number].append(time.perf_counter() - wall)
                measured[2 + number].append(time.process_time() - processor)
    return measured  # type: ignore[return-value]


def rows(engine: str, among: list[PlacedClip]) -> list[tuple[str, str, str]]:
    """Measure one engine and return its rows of the table."""
    settings = Settings(_env_file=None, whisper_engine=engine, whisper_model="base")
    transcriber = transcriber_factory.create(settings)
    made = []
    for what, found in zip(("starts", "ends"), errors(transcriber, among), strict=True):
        median, most = statistics.median(found), float(np.quantile(found, 0.95))
        how = f"median and 95 % of {len(found)} of {sum(len(clip.words) for clip in among)} words"
        made.append((f"{engine}: error of {what}", f"{median * 1000:.0f} ms, {most * 1000:.0f} ms", how))
    with_wall, wall, with_processor, processor = map(statistics.median, cost(transcriber))
    figure = f"{100 * (with_processor / processor - 1):+.1f} % processor, {100 * (with_wall / wall - 1):+.1f} % wall"
    how = f"26 s; {processor:.2f} and {wall:.2f} s without; medians of {ROUNDS} in turns"
    return [*made, (f"{engine}: cost in a chunk", figure, how)]


def main(engines: list[str]) -> None:
    among = clips()
    found = [row for engine in engines or ENGINES for row in rows(engine, among)]
    report.write("word-times", "Times of words", found, PACKAGES)


if __name__ == "__main__":
    main(sys.argv[1:])
