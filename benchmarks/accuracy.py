"""Measures the word error rate of each engine beside the plain libraries, and words invented and filtered.

    .venv/bin/python -m benchmarks.accuracy [--words N] [--chunk-s S] [--quick] [--engines A,B] [--no-times]

Real voices in five languages, clean and mixed with noise, music and a crowd; the language is given to all. Then sounds
in which nobody says a word. `--words`: half clean and half mixed, as many in each language; a larger set holds the
smaller one. `--chunk-s`: shorter chunks than a stream's, of which less than a window is encoded. Answers are kept in
`~/.cache/streametrics/benchmark-answers`, so an interrupted run goes on where it stopped. `--quick` takes one short
chunk a language and ends within two minutes on two cores. `--no-times` leaves out the seconds, which mean nothing
where other work runs beside.
Needs `sox` and `espeak-ng` for the sounds without words: sudo apt-get install sox espeak-ng
"""

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import whisper
from whisper.normalizers import BasicTextNormalizer, EnglishTextNormalizer

from benchmarks import answers, report, spoken, wordless
from benchmarks.answers import Answer
from benchmarks.engines import ENGINES
from benchmarks.spoken import Spoken
from streametrics.audio.pcm import Samples
from streametrics.settings import Settings
from streametrics.transcription import cpu
from streametrics.transcription import factory as transcriber_factory
from streametrics.weights import cache as weights_cache
from streametrics.weights.download import file_hash

#: What the others are compared with, and the other library as it comes: both greedy, on their own ladders.
PLAIN = "plain openai-whisper"
PLAIN_FASTER = "plain faster-whisper"
#: The same chunks are drawn again and again, to see how far a difference is a matter of chance.
DRAWS = 2000

#: The words of a sound in a language, None to detect it, and those that were left out, by reason.
Transcribe = Callable[[Samples, str | None], tuple[str, dict[str, int]]]


@dataclass(slots=True)
class Outcome:
    """What one engine or library got wrong in each chunk, the words that were said, and what it took."""

    wrong: list[int] = field(default_factory=list)
    said: list[int] = field(default_factory=list)
    seconds: float = 0.0
    invented: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    filtered_in_silence: Counter[str] = field(default_factory=Counter)

    def rate(self, chosen: list[int] | None = None) -> float:
        """Wrong words in a hundred."""
        numbers = range(len(self.wrong)) if chosen is None else chosen
        return 100 * sum(self.wrong[number] for number in numbers) / sum(self.said[number] for number in numbers)


def load(name: str) -> Transcribe:
    """Load an engine of ours or a plain library by its name."""
    if name == PLAIN:
        model = whisper.load_model(str(_weights(name)), device="cpu")

        def hear_plainly(samples: Samples, language: str | None) -> tuple[str, dict[str, int]]:
            said = model.transcribe(samples, language=language, condition_on_previous_text=False, fp16=False)
            return str(said["text"]), {}

        return hear_plainly
    if name == PLAIN_FASTER:
        from faster_whisper import WhisperModel

        faster = WhisperModel(
            str(_weights(name).parent),
            device="cpu",
            compute_type="int8",
            cpu_threads=cpu.available_cores(),
        )

        def hear_faster(samples: Samples, language: str | None) -> tuple[str, dict[str, int]]:
            segments, _ = faster.transcribe(samples, language=language, beam_size=1, condition_on_previous_text=False)
            return "".join(segment.text for segment in segments), {}

        return hear_faster
    engine = transcriber_factory.create(Settings.model_validate({"whisper_engine": name, "whisper_model": "base"}))

    def transcribe(samples: Samples, language: str | None) -> tuple[str, dict[str, int]]:
        transcript = engine.transcribe(samples, speech_language=language)
        return transcript.text, {str(reason): words for reason, words in transcript.left_out.items()}

    return transcribe


def _weights(name: str) -> Path:
    """Find the weights that an engine or library reads."""
    if name in (PLAIN_FASTER, "faster-whisper"):
        return weights_cache.ensure("base", "ctranslate2", Settings().model_dir) / "model.bin"
    return weights_cache.ensure("base", "openai", Settings().model_dir)


def words_of(text: str, language: str) -> list[str]:
    """Words without what is spelled one way or another: Whisper's own normalization."""
    return str(_normaliser(language == "en")(text)).split()


@cache
def _normaliser(english: bool) -> Callable[[str], str]:
    with warnings.catch_warnings():
        # The library forgets to close its table of spellings.
        warnings.simplefilter("ignore", ResourceWarning)
        made: Callable[[str], str] = EnglishTextNormalizer() if english else BasicTextNormalizer()
    return made


def wrong_words(said: list[str], found: list[str]) -> int:
    """Words put in, left out or replaced: the least number of such changes."""
    row = np.arange(len(found) + 1)
    for number, word in enumerate(said, start=1):
        replaced = row[:-1] + np.array([word != other for other in found], dtype=int)
        best = np.concatenate([[number], np.minimum(replaced, row[1:] + 1)])
        # What was put in: each place may be one more than any place before it.
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))
    return int(row[-1])


def transcribe_all(name: str, chunks: list[Spoken], silent: list[Samples]) -> Outcome:
    """Transcribe everything with one engine or library, but for what was transcribed in an earlier run."""
    loaded, result, hashed = cache(lambda: load(name)), Outcome(), file_hash(_weights(name))

    def answer(samples: Samples, language: str | None) -> Answer:
        def transcribed() -> Answer:
            transcribe, began = loaded(), time.perf_counter()
            text, left_out = transcribe(samples, language)
            return Answer(text, time.perf_counter() - began, left_out)

        return answers.kept(name, hashed, samples, language, transcribed, is_ours=name in ENGINES)

    for chunk in chunks:
        found = answer(chunk.samples, chunk.language)
        result.seconds += found.seconds
        said = words_of(chunk.text, chunk.language)
        result.said.append(len(said))
        result.wrong.append(wrong_words(said, words_of(found.text, chunk.language)))
        result.filtered.update(found.left_out)
    for samples in silent:
        found = answer(samples, None)
        result.invented += len(found.text.split())
        result.filtered_in_silence.update(found.left_out)
    return result


def difference(ours: Outcome, plain: Outcome) -> tuple[float, float, float]:
    """Points above plain's rate, and the range that holds 95 of 100 draws of as many chunks."""
    lot = np.random.default_rng(0)
    count = len(plain.said)
    drawn = [lot.integers(0, count, count).tolist() for _ in range(DRAWS)]
    low, high = np.percentile([ours.rate(chosen) - plain.rate(chosen) for chosen in drawn], [2.5, 97.5])
    return ours.rate() - plain.rate(), float(low), float(high)


def rows(
    found: dict[str, Outcome], chunks: list[Spoken], silent_s: float, *, times: bool
) -> list[tuple[str, str, str]]:
    """The table: each engine on clean and on mixed sounds, and what it invents."""
    plain, table = found[PLAIN], []
    clean = [number for number, chunk in enumerate(chunks) if chunk.background == "clean"]
    mixed = [number for number, chunk in enumerate(chunks) if chunk.background != "clean"]
    for name, outcome in found.items():
        points, low, high = difference(outcome, plain)
        pace = f"; {outcome.seconds:.0f} s, {plain.seconds / outcome.seconds:.1f} times plain" if times else ""
        table.append(
            (
                f"{name}: wrong words",
                f"{outcome.rate():.2f} %",
                f"{points:+.2f} points, 95 % between {low:+.2f} and {high:+.2f}; clean {outcome.rate(clean):.2f} %, "
                f"mixed {outcome.rate(mixed):.2f} %{pace}",
            )
        )
        how = f"in {silent_s / 60:.1f} min without a word; filtered there: {_told(outcome.filtered_in_silence)}"
        table.append((f"{name}: words invented", str(outcome.invented), how))
        if name in ENGINES:
            table.append(
                (f"{name}: words filtered", str(outcome.filtered.total()), f"of speech: {_told(outcome.filtered)}")
            )
    return table


def _told(filtered: Counter[str]) -> str:
    return ", ".join(f"{words} {reason}" for reason, words in filtered.items()) or "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=5000, help="so many, clean and mixed together (default 5000)")
    parser.add_argument("--chunk-s", type=float, default=spoken.CHUNK_S, help="chunks' length (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few hundred words")
    parser.add_argument("--engines", default=",".join(ENGINES), help="which of ours (default: %(default)s)")
    parser.add_argument("--no-times", action="store_true", help="leave out the seconds: other work runs beside")
    options = parser.parse_args()
    words = 300 if options.quick else options.words
    clean = spoken.chunks(words // (2 * len(spoken.PACKAGES)), most_s=options.chunk_s)
    chunks = [*clean, *spoken.noisy(clean)]
    silent = [each.samples for each in wordless.chunks(quick=options.quick)]
    found = {name: transcribe_all(name, chunks, silent) for name in (PLAIN, PLAIN_FASTER, *options.engines.split(","))}
    said = sum(found[PLAIN].said)
    is_short = options.chunk_s < spoken.CHUNK_S
    name = "accuracy-quick" if options.quick else "accuracy-short" if is_short else "accuracy"
    report.write(
        name,
        f"Words heard wrongly, {said} words in {len(spoken.PACKAGES)} languages, base model"
        + (f", chunks of {options.chunk_s:g} s" if is_short else ""),
        rows(found, chunks, sum(map(len, silent)) / 16_000, times=not options.no_times),
        ("openai-whisper", "faster-whisper", "ctranslate2", "torch"),
    )


if __name__ == "__main__":
    main()
