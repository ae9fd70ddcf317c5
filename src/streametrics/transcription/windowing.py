"""Stretches of speech become windows, and what an engine says of a window finds its place in the sound.

Whisper invents words for silence and noise ("Thank you."), so no engine ever hears a stretch without a voice.
The stretches are joined into windows of at most 30 s, which is what Whisper hears at once, cut where nobody
speaks.
"""

from itertools import pairwise

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment
from streametrics.transcription.engine import SpeechWindow
from streametrics.transcription.vad import Span

#: The length that Whisper hears at once.
WINDOW_S = 30.0
#: A silence that is left out rather than listened to. Below it, a window with a gap is cheaper than two windows.
LONG_SILENCE_S = 8.0
#: What is heard before and after speech, because soft beginnings and ends of words are not taken for a voice;
#: and the least of it, where a window is full. With 1 s or more of silence Whisper doubts short phrases so much
#: (measured: a mean log probability of -1.1 instead of -0.7) that it starts to guess.
PADDING_S = 0.6
SHORTEST_PADDING_S = 0.2
#: How far a segment may reach beyond the voice that was found.
EDGE_S = 0.3
#: The least of a half window. Shorter ones are not heard apart: what a model hears less of, it hears less well.
SHORTEST_HALF_S = 8.0
#: A sound this much longer than a window is cut to it: a whole pass of Whisper for the rest only invents words.
OVERHANG_S = 0.2


def cut_out(samples: Samples, window: Span, spans: list[Span]) -> SpeechWindow:
    """A window of the samples, as an engine hears it."""
    voiced = max((min(span.end, window.end) for span in spans if span.start < window.end), default=window.end)
    return SpeechWindow(samples[window.start : window.end], (voiced - window.start) / SAMPLE_RATE_HZ)


def windows(spans: list[Span], length: int) -> list[Span]:
    """Join stretches of speech into windows of at most 30 s, with padding, in a sound of `length` samples.

    Windows do not overlap. One is longer only where nobody pauses for so long: the engine's own loop has to
    walk through it.
    """
    limit = int(WINDOW_S * SAMPLE_RATE_HZ)
    if length <= limit + OVERHANG_S * SAMPLE_RATE_HZ:
        length = min(length, limit)
    joined: list[Span] = []
    for span in spans:
        if joined and _may_join(joined[-1], span, length):
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    # A pause is shared between the windows on both of its sides.
    edges = [0, *((one.end + two.start) // 2 for one, two in pairwise(joined)), length]
    padding = int(PADDING_S * SAMPLE_RATE_HZ)
    padded: list[Span] = []
    for span, (earliest, latest) in zip(joined, pairwise(edges), strict=False):
        end = min(span.end + padding, latest)
        start = max(span.start - padding, earliest)
        if len(span) <= limit < end - start:
            # Padding must not push a window past 30 s: Whisper would pay a whole pass for the rest.
            end = min(end, span.end + (limit - len(span)) // 2)
            start = max(start, end - limit)
        padded.append(Span(start, end))
    return padded


def halves(window: Span, spans: list[Span]) -> list[Span]:
    """A window cut in the pause that is nearest to its middle; itself where there is none that leaves two halves."""
    inside = [span for span in spans if span.start < window.end and span.end > window.start]
    least = int(SHORTEST_HALF_S * SAMPLE_RATE_HZ)
    pauses = [(one.end + two.start) // 2 for one, two in pairwise(inside)]
    possible = [at for at in pauses if window.start + least <= at <= window.end - least]
    if not possible:
        return [window]
    cut = min(possible, key=lambda at: abs(2 * at - window.start - window.end))
    return [Span(window.start, cut), Span(cut, window.end)]


def _may_join(window: Span, span: Span, length: int) -> bool:
    padding = int(SHORTEST_PADDING_S * SAMPLE_RATE_HZ)
    needed = min(span.end + padding, length) - max(window.start - padding, 0)
    silence = span.start - window.end
    return silence <= LONG_SILENCE_S * SAMPLE_RATE_HZ and needed <= WINDOW_S * SAMPLE_RATE_HZ


def place(part: Segment, window: Span, spans: list[Span], *, after_s: float) -> Segment:
    """Put a window's segment into the whole sound.

    Whisper's times may point behind a window's end, and they take silence before and after words in: they are
    drawn to where a voice was found.
    """
    start_s = window.start / SAMPLE_RATE_HZ + part.start
    end_s = min(window.start / SAMPLE_RATE_HZ + part.end, window.end / SAMPLE_RATE_HZ)
    voiced = [
        (span.start / SAMPLE_RATE_HZ - EDGE_S, span.end / SAMPLE_RATE_HZ + EDGE_S)
        for span in spans
        if span.start < end_s * SAMPLE_RATE_HZ and span.end > start_s * SAMPLE_RATE_HZ
    ]
    if voiced:
        start_s, end_s = max(start_s, voiced[0][0]), min(end_s, voiced[-1][1])
    start = min(max(after_s, start_s), window.end / SAMPLE_RATE_HZ)
    return Segment(round(start, 3), round(max(start, end_s), 3), part.text.strip())
