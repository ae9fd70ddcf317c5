"""Compares the words of a transcript with where somebody speaks: finds speech that no words cover.

Whisper now and then ends its answer after the first sentence, or says a repeated one once, and stretches the segment
over all the rest. What it left out shows as voice without words.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.domain.transcript import Segment, Word
from streametrics.transcription.vad import SampleSpan

#: No word takes longer than this, whatever its times say: so much, and more for each character. The alignment
#: stretches the last word over what was left out.
MAX_WORD_S, MAX_CHARACTER_S, MAX_SYLLABLE_S = 0.6, 0.1, 0.3
#: Characters of scripts without spaces between words, each about a syllable: Thai, Lao, Burmese, Khmer,
#: Japanese, Chinese.
_SYLLABLES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
#: Words and voice are found by different means: a word covers this much around it.
WORD_TOLERANCE_S = 0.25
#: Voice without words that counts, in seconds: it is at least so long, and so large a share of its phrase; or longer.
MIN_UNCOVERED_S, MIN_UNCOVERED_SHARE, LONG_UNCOVERED_S = 0.3, 0.4, 1.5
#: A phrase up to this length is transcribed again as a whole, of a longer one what has no words.
WHOLE_PHRASE_S = 3.0


def uncovered(phrases: Sequence[SampleSpan], segments: Iterable[Segment]) -> list[SampleSpan]:
    """Return the phrases, or the parts of long ones, that no words cover; segments in seconds of the same audio.

    A segment without words covers all of its time.
    """
    covered = sorted((span for segment in segments for span in _covered(segment)), key=lambda span: span.start)
    found: list[SampleSpan] = []
    for phrase in phrases:
        gaps = _gaps(phrase, covered)
        total = sum(map(len, gaps))
        is_missing = total >= max(MIN_UNCOVERED_S * SAMPLE_RATE_HZ, MIN_UNCOVERED_SHARE * len(phrase))
        if is_missing and len(phrase) <= WHOLE_PHRASE_S * SAMPLE_RATE_HZ:
            found.append(phrase)
        else:
            least_s = MIN_UNCOVERED_S if is_missing else LONG_UNCOVERED_S
            found += [_widened(gap, phrase) for gap in gaps if len(gap) >= least_s * SAMPLE_RATE_HZ]
    return found


def untouched(spans: Iterable[SampleSpan], segments: Sequence[Segment]) -> list[SampleSpan]:
    """Return the spans into which no segment reaches."""
    times = [(segment.start * SAMPLE_RATE_HZ, segment.end * SAMPLE_RATE_HZ) for segment in segments]
    return [span for span in spans if not any(start < span.end and end > span.start for start, end in times)]


def _widened(gap: SampleSpan, phrase: SampleSpan) -> SampleSpan:
    """A gap from the end of the word before it to the beginning of the next: as if words covered only themselves."""
    tolerance = round(WORD_TOLERANCE_S * SAMPLE_RATE_HZ)
    start = gap.start if gap.start == phrase.start else max(gap.start - tolerance, phrase.start)
    return SampleSpan(start, gap.end if gap.end == phrase.end else min(gap.end + tolerance, phrase.end))


def _covered(segment: Segment) -> list[SampleSpan]:
    if not segment.words:
        return [_span(segment.start, segment.end)]
    return [_span(word.start, _said_until(word)) for word in segment.words]


def _said_until(word: Word) -> float:
    """Return when a word has been said at the latest."""
    syllables = len(_SYLLABLES.findall(word.text))
    longest_s = MAX_WORD_S + MAX_CHARACTER_S * (len(word.text.strip()) - syllables) + MAX_SYLLABLE_S * syllables
    return min(word.end, round(word.start + longest_s, 3))


def count_units(text: str) -> int:
    """Count the words of a text, and the characters of scripts without spaces, so that any two can be compared."""
    others = _SYLLABLES.sub(" ", text).split()
    return len(_SYLLABLES.findall(text)) + sum(any(map(str.isalnum, word)) for word in others)


def _span(start_s: float, end_s: float) -> SampleSpan:
    return SampleSpan(
        round((start_s - WORD_TOLERANCE_S) * SAMPLE_RATE_HZ), round((end_s + WORD_TOLERANCE_S) * SAMPLE_RATE_HZ)
    )


def _gaps(phrase: SampleSpan, covered: Iterable[SampleSpan]) -> list[SampleSpan]:
    """Return what remains of a phrase where nothing covers it; covered: in order."""
    gaps, at = list[SampleSpan](), phrase.start
    for span in covered:
        if span.start > at:
            gaps.append(SampleSpan(at, min(span.start, phrase.end)))
        at = max(at, span.end)
        if at >= phrase.end:
            break
    if at < phrase.end:
        gaps.append(SampleSpan(at, phrase.end))
    return [gap for gap in gaps if len(gap) > 0]


def words_in(segments: Iterable[Segment], span: SampleSpan) -> list[Word]:
    """Return the words whose middle lies in a span of samples."""
    return [word for segment in segments for word in segment.words if _lies_in(word, span)]


def without(segments: Iterable[Segment], span: SampleSpan) -> list[Segment]:
    """Return the segments without their words in a span: one that reaches beyond both of its sides becomes two."""
    kept: list[Segment] = []
    for segment in segments:
        before = [word for word in segment.words if _middle(word) < span.start]
        after = [word for word in segment.words if _middle(word) >= span.end]
        if not segment.words or len(before) == len(segment.words) or len(after) == len(segment.words):
            kept.append(_bounded(segment, span))
            continue
        if before:
            kept.append(_of_words(segment, _unstretched(before, span), start=segment.start))
        if after:
            kept.append(_of_words(segment, after, end=segment.end))
    return kept


def _bounded(segment: Segment, span: SampleSpan) -> Segment:
    """A segment whose words are all on one side of a span, without the time in it."""
    if not segment.words:
        return segment
    if _middle(segment.words[-1]) < span.start:
        words = _unstretched(segment.words, span)
        return replace(segment, end=min(segment.end, max(words[-1].end, segment.start)), words=words)
    return replace(segment, start=max(segment.start, min(segment.words[0].start, segment.end)))


def _of_words(
    segment: Segment, words: Sequence[Word], *, start: float | None = None, end: float | None = None
) -> Segment:
    text = "".join(word.text for word in words).strip()
    return replace(
        segment,
        start=words[0].start if start is None else start,
        end=words[-1].end if end is None else end,
        text=text,
        words=tuple(words),
    )


def _unstretched(words: Sequence[Word], span: SampleSpan) -> tuple[Word, ...]:
    """Return the words before a span, the last one no longer than it takes where it is stretched over the span."""
    *others, last = words
    is_stretched = last.end * SAMPLE_RATE_HZ > span.start
    return (*others, replace(last, end=_said_until(last)) if is_stretched else last)


def _lies_in(word: Word, span: SampleSpan) -> bool:
    return span.start <= _middle(word) < span.end


def _middle(word: Word) -> float:
    return (word.start + _said_until(word)) / 2 * SAMPLE_RATE_HZ
