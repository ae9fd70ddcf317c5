"""Judges the hallucination filter: words invented where nobody speaks, against words lost of speech under noise.

    .venv/bin/python -m benchmarks.invented [--seeds 1,2] [--engines A,B] [--words N] [--native]

Each seed is 67 minutes without a word (`wordless_hour`). The counterweight is speech in five languages, clean and 10,
5, 0 and -5 dB above six kinds of noise, three mixes of each chunk. Every engine decodes all of it with every arithmetic
that this processor can be made to compute with; `--native`: with its own alone. What the engines said is kept as it
was, so the filter's line is tried at many slopes on the same answers, and the table shows both curves beside the slope
that is in force. Takes about 25 minutes a seed on two cores. Needs `sox` and `espeak-ng`.
"""

import argparse
import difflib
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

from benchmarks import arithmetics, report, spoken, wordless, wordless_hour
from benchmarks.accuracy import words_of
from benchmarks.decoded import Said, decode
from benchmarks.engines import ENGINES
from streametrics.audio.pcm import Samples
from streametrics.transcription import hallucination_filter
from streametrics.transcription.hallucination_filter import (
    NOBODY_SPEAKS_BELOW,
    TIMESTAMP_TOLERANCE_S,
    count_words,
    required_speech_probability,
)
from streametrics.transcription.vad import VoiceActivity, detect_speech

SLOPES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0)
RATIOS_DB = (10.0, 5.0, 0.0, -5.0)
MIXES = 3


@dataclass(frozen=True, slots=True)
class Mixed:
    """Speech: what is said, in which language, and how many decibels it is above a noise (None: clean)."""

    samples: Samples
    text: str
    language: str
    ratio_db: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A segment with the best speech probability beside it (over 0.1 and 0.5 s), and its right and wrong words."""

    said: Said
    probability: float
    sustained: float
    right: int
    wrong: int
    ratio_db: float | None = None

    def passes(self, slope: float) -> bool:
        """Whether the filter's line would let it pass at another slope."""
        assert self.said.segment.statistics is not None
        sure = replace(self.said.segment.statistics, average_logprob=0.0)
        by_slope = -slope * self.said.segment.statistics.average_logprob
        return self.probability >= NOBODY_SPEAKS_BELOW and self.sustained >= max(
            required_speech_probability(sure), by_slope
        )


def noises(seed: int) -> list[tuple[wordless_hour.Chunk, VoiceActivity]]:
    """The chunks of a seed in which the voice detector finds a voice: no engine is given the others."""
    with ProcessPoolExecutor(2) as processes:
        found = processes.map(_with_voice, wordless_hour.recipes(seed), chunksize=3)
        return [(chunk, voice) for chunk, voice in found if voice.spans]


def _with_voice(recipe: wordless_hour.Recipe) -> tuple[wordless_hour.Chunk, VoiceActivity]:
    chunk = recipe.make()
    return chunk, detect_speech(chunk.samples)


def mixes(words: int) -> list[Mixed]:
    """Speech, clean and under noise; which noise and how loud goes by turns, so that all meet all."""
    backgrounds = {
        **spoken.BACKGROUNDS,
        "pink": lambda: wordless.colored("pink", -20),
        "near crowd": lambda: wordless.crowd(77, -20, muffled_above_hz=4000, hall_s=0.4),
        "shots": lambda: wordless.shots(21),
    }
    spoken.BACKGROUNDS.update({name: cache(maker) for name, maker in backgrounds.items()})
    turns = [(name, ratio_db) for ratio_db in RATIOS_DB for name in backgrounds]
    found = []
    for number, chunk in enumerate(spoken.chunks(words)):
        found.append(Mixed(chunk.samples, chunk.text, chunk.language, None))
        for mix in range(MIXES):
            name, ratio_db = turns[(number * MIXES + mix * 7) % len(turns)]
            mixed = spoken.with_background(chunk, name, ratio_db)
            found.append(Mixed(mixed.samples, chunk.text, chunk.language, ratio_db))
    return found


def judged(said: Sequence[Said], voice: VoiceActivity, spoken_text: Mixed | None) -> list[Judged]:
    """Counts each segment's right and wrong words, by the longest common subsequence with what was spoken."""
    transcribed, owners = [], []
    for number, each in enumerate(said):
        words = words_of(each.segment.text, spoken_text.language) if spoken_text else []
        transcribed += words
        owners += [number] * len(words)
    right = [0] * len(said)
    if spoken_text is not None:
        matcher = difflib.SequenceMatcher(
            None, words_of(spoken_text.text, spoken_text.language), transcribed, autojunk=False
        )
        for block in matcher.get_matching_blocks():
            for at in range(block.b, block.b + block.size):
                right[owners[at]] += 1
    found = []
    for number, each in enumerate(said):
        start, end = each.segment.start - TIMESTAMP_TOLERANCE_S, each.segment.end + TIMESTAMP_TOLERANCE_S
        total = owners.count(number) if spoken_text else count_words(each.segment.text)
        ratio_db = spoken_text.ratio_db if spoken_text else None
        probability = voice.speech_probability(start, end)
        sustained = voice.speech_probability(start, end, over_s=hallucination_filter.SUSTAINED_S)
        found.append(Judged(each, probability, sustained, right[number], total - right[number], ratio_db))
    return found


def rows(
    engine: str, arithmetic: str, silent: list[Judged], speech: list[Judged], minutes: float
) -> Iterable[tuple[str, str, str]]:
    """The table's rows of one engine with one arithmetic: the filter as it is, then both curves."""
    invented = [each.said.kept for each in silent if each.said.kept]
    lost = [each for each in speech if not each.said.kept]
    ratios = [each.sustained / -_logprob(each) for each in silent if not _repeats(each)]
    closest = max(ratios, default=0.0)
    line = hallucination_filter.SPEECH_PER_LOGPROB
    told = "; ".join(f"'{text[:40]}'" for text in invented[:3])
    yield (
        f"{engine}, {arithmetic}",
        f"{sum(map(count_words, invented))} words invented in {minutes:.0f} min",
        f"{len(silent)} segments said there, the nearest to the line at {closest:.2f} of {line}; "
        f"{_by_ratio(lost, speech)}{'; ' + told if told else ''}",
    )
    for slope in SLOPES:
        passed = sum(each.wrong for each in silent if each.passes(slope))
        refused = [each for each in speech if not each.passes(slope)]
        yield f"… slope {slope:g}", f"{passed / minutes:.2f} invented a minute", _by_ratio(refused, speech)


def _by_ratio(lost: Sequence[Judged], speech: Sequence[Judged]) -> str:
    """Right words lost at each level, and the wrong ones that went with them."""
    told = []
    for ratio_db in (None, *RATIOS_DB):
        all_right = sum(each.right for each in speech if each.ratio_db == ratio_db)
        right = sum(each.right for each in lost if each.ratio_db == ratio_db)
        told.append(f"{'clean' if ratio_db is None else f'{ratio_db:g} dB'} {right}/{all_right}")
    return f"right words lost: {', '.join(told)} (and {sum(each.wrong for each in lost)} wrong ones)"


def _logprob(each: Judged) -> float:
    assert each.said.segment.statistics is not None
    return min(each.said.segment.statistics.average_logprob, -1e-6)


def _repeats(each: Judged) -> bool:
    assert each.said.segment.statistics is not None
    return each.said.segment.statistics.compression_ratio > hallucination_filter.REPETITIVE_ABOVE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1", help="hours without a word, by their seeds (default %(default)s)")
    parser.add_argument("--engines", default=",".join(ENGINES), help="which of ours (default: %(default)s)")
    parser.add_argument("--words", type=int, default=160, help="of speech in each language (default %(default)s)")
    parser.add_argument("--native", action="store_true", help="the processor's own arithmetic alone")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    silent = [each for seed in seeds for each in noises(seed)]
    speech = mixes(options.words)
    voices = [detect_speech(each.samples) for each in speech]
    minutes = len(seeds) * len(wordless_hour.recipes(0)) * wordless.CHUNK_S / 60
    sounds = [(chunk.samples, None) for chunk, _ in silent] + [(each.samples, each.language) for each in speech]
    table: list[tuple[str, str, str]] = []
    for engine in options.engines.split(","):
        for arithmetic in [arithmetics.NATIVE] if options.native else arithmetics.of(engine):
            said = decode(engine, arithmetic, sounds)
            of_noise, of_speech = said[: len(silent)], said[len(silent) :]
            invented = [each for s, (_, voice) in zip(of_noise, silent, strict=True) for each in judged(s, voice, None)]
            transcribed = [
                each for s, v, text in zip(of_speech, voices, speech, strict=True) for each in judged(s, v, text)
            ]
            made = list(rows(engine, arithmetic.name, invented, transcribed, minutes))
            print(*made[0], sep=" | ", flush=True)
            table += made
    report.write(
        "invented",
        f"Hallucination filter: {minutes:.0f} minutes without a word (seeds {options.seeds}), and speech under noise",
        table,
        ("openai-whisper", "faster-whisper", "ctranslate2", "torch", "onnxruntime"),
    )


if __name__ == "__main__":
    main()
