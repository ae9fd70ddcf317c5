"""Measures words lost where several voices speak in turn, for each engine, beside the plain libraries.

    .venv/bin/python -m benchmarks.lost [--clips N] [--kinds A,B] [--engines A,B] [--quick] [--show]

Mixes of voices, languages, gaps, alerts and repetitions (`mixed`); no language is given. A word is lost if it is in a
run of four or more that nothing stands for. A stretch of speech is replaced if something else stands there: a
translation, mostly. Voiced seconds without words are those of the voice detector in which no word was heard (no
segment, where an engine tells no times of words, so a segment that is stretched over them hides them). Answers are kept
as those of `benchmarks.accuracy`. An engine named `alone:ENGINE` hears each stretch by itself, in its own language:
what it loses is the voice's fault, and not the mix's. `--quick`: 24 clips. `--show`: what was said and heard in each
clip with a loss. Needs `espeak-ng`.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks import mixed, report
from benchmarks.alignment import Alignment, Fate, align, words_of_any_language
from benchmarks.answers import Answer
from benchmarks.engines import ENGINES
from benchmarks.listeners import PLAIN, PLAIN_FASTER, Hear, asked
from benchmarks.mixed import KINDS, Mix
from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.transcription.vad import SampleSpan, detect_speech

#: Before an engine's name: it hears each stretch of speech by itself.
ALONE = "alone:"
CLIPS, QUICK_CLIPS = 208, 24
#: Voice without a word for less than this is a breath or a slip of the words' times, which are this uncertain.
MIN_WORDLESS_S, TIMES_S = 0.5, 0.3
#: Below this share of its words rightly heard, a stretch was missed or replaced.
HEARD_SHARE = 0.3


@dataclass(slots=True)
class Tally:
    """Counts over clips: of words and of stretches of speech, and of seconds with a voice.

    announced: lost words of stretches of which a warning says that they were not heard.
    """

    words: int = 0
    wrong: int = 0
    inserted: int = 0
    lost: int = 0
    announced: int = 0
    stretches: int = 0
    missed: int = 0
    replaced: int = 0
    voiced_s: float = 0.0
    wordless_s: float = 0.0
    worst: list[tuple[int, str]] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def lost_share(self) -> float:
        """Lost words in a hundred."""
        return 100 * self.lost / max(1, self.words)


def tally(mix: Mix, answer: Answer) -> Tally:
    """Judge one clip's answer."""
    said = [words_of_any_language(stretch.text) for stretch in mix.stretches]
    aligned = align([word for words in said for word in words], words_of_any_language(answer.text))
    found = Tally(len(aligned.fates), aligned.wrong, aligned.inserted, sum(aligned.lost), stretches=len(said))
    at = 0
    for stretch, words in zip(mix.stretches, said, strict=True):
        _judge(found, aligned, slice(at, at + len(words)), _overlap_s([stretch.start_s, stretch.end_s], answer.unheard))
        at += len(words)
    spans = detect_speech(mix.samples).spans
    found.voiced_s = sum(map(len, spans)) / SAMPLE_RATE_HZ
    found.wordless_s = wordless_s(spans, answer.spans)
    found.worst = [(found.lost, mix.name)] if found.lost else []
    return found


def _judge(found: Tally, aligned: Alignment, words: slice, unheard_s: float) -> None:
    """Count what became of one stretch."""
    fates = aligned.fates[words]
    if unheard_s >= MIN_WORDLESS_S:
        found.announced += sum(aligned.lost[words])
    if fates.count(Fate.HEARD) < HEARD_SHARE * len(fates):
        is_missed = fates.count(Fate.DELETED) >= fates.count(Fate.REPLACED)
        found.missed += is_missed
        found.replaced += not is_missed


def wordless_s(voiced: Iterable[SampleSpan], heard: Iterable[Sequence[float]]) -> float:
    """Seconds of voice in which no word was heard."""
    covered = sorted((start - TIMES_S, end + TIMES_S) for start, end in heard)
    total = 0.0
    for span in voiced:
        at, end = span.start / SAMPLE_RATE_HZ, span.end / SAMPLE_RATE_HZ
        for word_start, word_end in [*covered, (end, end)]:
            hole_s = min(word_start, end) - at
            total += hole_s if hole_s >= MIN_WORDLESS_S else 0.0
            at = max(at, min(word_end, end))
    return total


def _overlap_s(span: Sequence[float], others: Iterable[Sequence[float]]) -> float:
    return sum(max(0.0, min(span[1], end) - max(span[0], start)) for start, end in others)


def listen(name: str, mixes: Sequence[Mix], *, show: bool = False) -> dict[str, Tally]:
    """Hear all mixes in one way, and count by kind."""
    hear, found = asked(name.removeprefix(ALONE)), dict[str, Tally]()
    for number, mix in enumerate(mixes, start=1):
        answer = _alone(hear, mix) if name.startswith(ALONE) else hear(mix.samples, None)
        judged = tally(mix, answer)
        found[mix.kind] = found.get(mix.kind, Tally()) + judged
        if show and (judged.lost or judged.missed or judged.replaced):
            said = " / ".join(f"{each.start_s:.1f} {each.language} {each.text}" for each in mix.stretches)
            print(f"{name}, {mix.name}, lost {judged.lost}\n  said  {said}\n  heard {answer.text}")
        if sys.stderr.isatty():
            print(f"\r{name}: {number}/{len(mixes)}", end="\n" * (number == len(mixes)), file=sys.stderr, flush=True)
    return found


def _alone(hear: Hear, mix: Mix) -> Answer:
    """Each stretch by itself, in the language that is spoken in it."""
    texts, spans = [], []
    for stretch in mix.stretches:
        start, end = round(stretch.start_s * SAMPLE_RATE_HZ), round(stretch.end_s * SAMPLE_RATE_HZ)
        found = hear(mix.samples[start:end], stretch.language)
        texts.append(found.text)
        spans += [[stretch.start_s + at for at in span] for span in found.spans]
    return Answer(" ".join(texts), 0.0, spans=spans)


def rows(found: dict[str, dict[str, Tally]]) -> list[tuple[str, str, str]]:
    """The table: each way of listening, in all and for each kind of mix."""
    table = []
    for name, by_kind in found.items():
        for kind, each in {"all": sum(by_kind.values(), Tally()), **by_kind}.items():
            worst = ", ".join(clip for _, clip in sorted(each.worst, reverse=True)[:3])
            table.append(
                (
                    f"{name}: words lost" if kind == "all" else f"… {kind}",
                    f"{each.lost_share:.2f} %",
                    f"{each.lost} of {each.words} words, {each.announced} of them with a warning; "
                    f"wrong words {100 * each.wrong / each.words:.1f} %, put in {each.inserted}; of {each.stretches} "
                    f"stretches {each.missed} missed and {each.replaced} replaced; {each.wordless_s:.1f} of "
                    f"{each.voiced_s:.0f} voiced seconds without words" + (f"; most in {worst}" if worst else ""),
                )
            )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, help=f"so many, the kinds by turns (default {CLIPS})")
    parser.add_argument("--kinds", default=",".join(KINDS), help="which kinds of mixes (default: %(default)s)")
    parser.add_argument("--engines", default=",".join((PLAIN, PLAIN_FASTER, *ENGINES)), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CLIPS} clips")
    parser.add_argument("--show", action="store_true", help="print what was said and heard where something was lost")
    options = parser.parse_args()
    kinds, names = options.kinds.split(","), options.engines.split(",")
    count = options.clips or (QUICK_CLIPS if options.quick else CLIPS)
    mixes = list(mixed.mixes(count, kinds))
    seconds = sum(len(mix.samples) for mix in mixes) / SAMPLE_RATE_HZ
    report.write(
        "lost" if count >= CLIPS and len(kinds) == len(KINDS) else "lost-quick",
        f"Words lost where several voices speak in turn, {count} clips of together {seconds / 60:.0f} min, base model",
        rows({name: listen(name, mixes, show=options.show) for name in names}),
        ("openai-whisper", "faster-whisper", "ctranslate2", "torch"),
    )


if __name__ == "__main__":
    main()
