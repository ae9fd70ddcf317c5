"""Joins stretches of speech into windows, and places a window's segments in the whole audio.

Whisper invents words for silence and noise ("Thank you."), so an engine is never given a stretch without speech. The
stretches are joined into windows of at most 30 s, which is Whisper's own window, and cut where nobody speaks.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment
from streametrics.transcription.engine import SpeechWindow
from streametrics.transcription.vad import SampleSpan, VoiceActivity, spans_within
from streametrics.transcription.word_times import move_to_voice

#: Whisper's own window.
WINDOW_S = 30.0
#: A longer silence ends a window. Below it, a window with a gap is cheaper than two windows.
MAX_JOINED_SILENCE_S = 8.0
#: Audio that is added before and after speech, because soft beginnings and ends of words are not detected; and the
#: least of it, where a window is full. With 1 s or more of silence Whisper doubts short phrases so much (measured: a
#: mean log probability of -1.1 instead of -0.7) that it starts to guess.
PADDING_S = 0.6
MIN_PADDING_S = 0.2
#: How far a segment may reach beyond the detected speech.
EDGE_TOLERANCE_S = 0.3
#: The least length of half a window. Shorter ones are not decoded apart: with less context a model decodes less well.
MIN_HALF_WINDOW_S = 8.0
#: A pause of this length ends a phrase, which may be in another language or be left out; and the least phrase that a
#: language is detected of.
PHRASE_PAUSE_S, LANGUAGE_PHRASE_S = 0.15, 1.5
#: Audio that is added where a phrase is cut off without a pause.
CUT_PADDING_S = 0.05
#: Audio that is only this much longer than a window is cut to it: from the rest alone Whisper only invents words.
OVERHANG_S = 0.2


def extract_window(samples: Samples, window: SampleSpan, voice: VoiceActivity) -> SpeechWindow:
    """Cut a window out of the samples, as an engine takes it."""
    voiced = max((span.end for span in spans_within(voice.spans, window)), default=window.end)
    phrases = voice.phrases(window, least_pause_s=PHRASE_PAUSE_S, least_s=LANGUAGE_PHRASE_S)
    stretches = tuple(SampleSpan(span.start - window.start, span.end - window.start) for span in phrases)
    return SpeechWindow(samples[window.start : window.end], (voiced - window.start) / SAMPLE_RATE_HZ, stretches)


def build_windows(spans: list[SampleSpan], length: int) -> list[SampleSpan]:
    """Join stretches of speech into windows of at most 30 s, with padding, in audio of `length` samples.

    Windows do not overlap. One is longer only where nobody pauses for so long: the engine seeks through it by itself.
    """
    limit = int(WINDOW_S * SAMPLE_RATE_HZ)
    if length <= limit + OVERHANG_S * SAMPLE_RATE_HZ:
        length = min(length, limit)
    joined: list[SampleSpan] = []
    for span in spans:
        if joined and _may_join(joined[-1], span, length):
            joined[-1] = SampleSpan(joined[-1].start, span.end)
        else:
            joined.append(span)
    # A pause is shared between the windows on both of its sides.
    edges = [0, *((one.end + two.start) // 2 for one, two in pairwise(joined)), length]
    padding = int(PADDING_S * SAMPLE_RATE_HZ)
    padded: list[SampleSpan] = []
    for span, (earliest, latest) in zip(joined, pairwise(edges), strict=False):
        end = min(span.end + padding, latest)
        start = max(span.start - padding, earliest)
        if len(span) <= limit < end - start:
            # Padding must not push a window past 30 s: Whisper would encode another window for the rest.
            end = min(end, span.end + (limit - len(span)) // 2)
            start = max(start, end - limit)
        padded.append(SampleSpan(start, end))
    return padded


def pad_span(voiced: SampleSpan, spans: Sequence[SampleSpan], length: int) -> SampleSpan:
    """Add padding around a stretch that is transcribed by itself, up to the middle of the pauses on both sides.

    Where it is cut out of a longer stretch, nearly none, or the words beside it would be heard twice.
    """
    padding, cut = int(PADDING_S * SAMPLE_RATE_HZ), int(CUT_PADDING_S * SAMPLE_RATE_HZ)
    before = max((span.end for span in spans if span.end <= voiced.start), default=None)
    after = min((span.start for span in spans if span.start >= voiced.end), default=None)
    earliest = 0 if before is None else (before + voiced.start) // 2
    latest = length if after is None else (after + voiced.end) // 2
    is_cut_before = any(span.start < voiced.start < span.end for span in spans)
    is_cut_after = any(span.start < voiced.end < span.end for span in spans)
    return SampleSpan(
        max(voiced.start - (cut if is_cut_before else padding), earliest),
        min(voiced.end + (cut if is_cut_after else padding), latest),
    )


def split_in_half(window: SampleSpan, spans: list[SampleSpan]) -> list[SampleSpan]:
    """Cut a window in the pause nearest to its middle; whole where no pause leaves two halves that are long enough."""
    inside = [span for span in spans if span.start < window.end and span.end > window.start]
    least = int(MIN_HALF_WINDOW_S * SAMPLE_RATE_HZ)
    pauses = [(one.end + two.start) // 2 for one, two in pairwise(inside)]
    possible = [at for at in pauses if window.start + least <= at <= window.end - least]
    if not possible:
        return [window]
    cut = min(possible, key=lambda at: abs(2 * at - window.start - window.end))
    return [SampleSpan(window.start, cut), SampleSpan(cut, window.end)]


def _may_join(window: SampleSpan, span: SampleSpan, length: int) -> bool:
    padding = int(MIN_PADDING_S * SAMPLE_RATE_HZ)
    needed = min(span.end + padding, length) - max(window.start - padding, 0)
    silence = span.start - window.end
    return silence <= MAX_JOINED_SILENCE_S * SAMPLE_RATE_HZ and needed <= WINDOW_S * SAMPLE_RATE_HZ


def place_segment(segment: Segment, window: SampleSpan, voice_activity: VoiceActivity, *, after_s: float) -> Segment:
    """Convert the times of a segment and of its words from its window to the whole audio.

    Whisper's times may point beyond a window's end and include silence around words: they are limited to where speech
    was detected. Words' edges move to the pauses between them.
    """
    window_s, window_end_s = window.start / SAMPLE_RATE_HZ, window.end / SAMPLE_RATE_HZ
    start_s = window_s + segment.start
    end_s = min(window_s + segment.end, window_end_s)
    voiced = [
        (span.start / SAMPLE_RATE_HZ - EDGE_TOLERANCE_S, span.end / SAMPLE_RATE_HZ + EDGE_TOLERANCE_S)
        for span in voice_activity.spans
        if span.start < end_s * SAMPLE_RATE_HZ and span.end > start_s * SAMPLE_RATE_HZ
    ]
    if voiced:
        start_s, end_s = max(start_s, voiced[0][0]), min(end_s, voiced[-1][1])
    start = round(min(max(after_s, start_s), window_end_s), 3)
    end = round(max(start, end_s), 3)
    words = [word.moved(window_s) for word in segment.words]
    pauses = voice_activity.pauses(start - EDGE_TOLERANCE_S, end + EDGE_TOLERANCE_S)
    placed = move_to_voice(words, pauses, start_s=start, end_s=end)
    return Segment(start, end, segment.text.strip(), words=placed, language=segment.language)


def starting_after(segment: Segment, after_s: float) -> Segment:
    """Return the segment, and its words, not before a time."""
    if segment.start >= after_s:
        return segment
    words = tuple(replace(word, start=max(word.start, after_s), end=max(word.end, after_s)) for word in segment.words)
    return replace(segment, start=after_s, end=max(segment.end, after_s), words=words)
