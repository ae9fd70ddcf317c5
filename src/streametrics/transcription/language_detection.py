"""Detects which language is spoken where in a window of speech.

Whisper decodes a window in one language, and translates or leaves out what is said in another. Its probability of the
window's language tells whether there is one: with a change of language in it, it is hardly ever high
(docs/decisions/0034 has both distributions). So only the stretches of a doubtful window are looked at one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.domain.transcript import Segment
from streametrics.transcription.engine import ExecutionContext, SpeechWindow
from streametrics.transcription.vad import SampleSpan

#: From this probability on, a window is taken to hold one language: 63 of 66 windows in which only one is spoken, and
#: 17 of 57 with several, most of these with a short word of the other.
ONE_LANGUAGE_PROBABILITY = 0.95
#: So is one that is decoded with a better mean log probability, and whose segments are, each by itself: of 60 clean
#: segments in one language the worst had -0.69, and speech that was translated has about -1. Noise makes it worse, so
#: with a higher bound noisy windows are looked at for nothing.
DOUBTFUL_LOGPROB = -0.8
#: A stretch is trusted from this probability on where it is 2 s long or longer, and the shorter it is the later, up to
#: 0.65 at 0.7 s: below 2 s one of six is taken for a related language.
TRUSTED_PROBABILITY, SHORT_TRUSTED_PROBABILITY = 0.5, 0.65
TRUSTED_S, SHORT_S = 2.0, 0.7
#: A window too short to change the language of those after it is in its own from this probability on, where its voice
#: is 2 s long or longer; a shorter one if besides it was decoded with doubt in the other.
OWN_LANGUAGE_PROBABILITY = 0.8
#: Audio on both sides of a stretch that is looked at with it, for soft beginnings and ends of words.
PROBE_PADDING_S = 0.3


@dataclass(frozen=True, slots=True)
class WindowLanguage:
    """The language of a window, and its probability.

    is_probed: whether its stretches were looked at one by one. changes: where another language than `code` is spoken,
    each stretch of the window, in samples from its beginning, with its language.
    """

    code: str
    probability: float
    is_probed: bool = False
    changes: tuple[tuple[SampleSpan, str], ...] = ()


def detect_languages(
    context: ExecutionContext, windows: Sequence[SpeechWindow], is_asked: Sequence[bool]
) -> list[WindowLanguage]:
    """Detect the windows' languages, and those of the stretches of the windows that seem to hold several.

    is_asked: for each window, whether its language is not known already.
    """
    detected = [WindowLanguage(code, probability) for code, probability in context.detect_languages(windows)]
    return [
        probe_stretches(context, window, whole) if asked and whole.probability < ONE_LANGUAGE_PROBABILITY else whole
        for window, asked, whole in zip(windows, is_asked, detected, strict=True)
    ]


def doubtful_stretches(window: SpeechWindow, segments: Sequence[Segment]) -> list[int]:
    """Return the numbers of the stretches that may be in another language than the window was decoded in.

    segments: as decoded, in seconds from the window's beginning.
    """
    statistics = [(segment, segment.statistics) for segment in segments if segment.statistics is not None]
    if any(each.average_logprob < DOUBTFUL_LOGPROB for _, each in statistics):
        return list(range(len(window.stretches)))
    doubtful = [
        segment
        for segment, each in statistics
        if each.segment_logprob is not None and each.segment_logprob < DOUBTFUL_LOGPROB
    ]
    return [
        number
        for number, span in enumerate(window.stretches)
        if any(each.start <= (span.start + span.end) / 2 / SAMPLE_RATE_HZ < each.end for each in doubtful)
    ]


def reconsidered(
    context: ExecutionContext, window: SpeechWindow, detected: WindowLanguage, segments: Sequence[Segment], used: str
) -> WindowLanguage:
    """Detect the languages of a window whose segments are doubtful, which was decoded in the language `used`."""
    doubtful = doubtful_stretches(window, segments)
    if len(window.stretches) == 1 and doubtful:
        is_other = detected.code != used and detected.probability >= OWN_LANGUAGE_PROBABILITY
        return replace(detected, changes=((window.stretches[0], detected.code),)) if is_other else detected
    return probe_stretches(context, window, detected, doubtful)


def probe_stretches(
    context: ExecutionContext, window: SpeechWindow, whole: WindowLanguage, numbers: Sequence[int] | None = None
) -> WindowLanguage:
    """Detect the language of each stretch of a window, as the window's changes of language.

    numbers: of the stretches to look at; the others are in the window's language.
    """
    if len(window.stretches) < 2 or numbers == []:
        return whole
    asked = range(len(window.stretches)) if numbers is None else numbers
    padding = int(PROBE_PADDING_S * SAMPLE_RATE_HZ)
    spans = [window.stretches[number] for number in asked]
    found = context.probe_languages(
        [window.samples[max(0, span.start - padding) : span.end + padding] for span in spans]
    )
    probed = [(whole.code, 1.0)] * len(window.stretches)
    for number, detected in zip(asked, found, strict=True):
        probed[number] = detected
    trusted = {
        own
        for span, (own, probability) in zip(window.stretches, probed, strict=True)
        if probability >= trusted_from(len(span) / SAMPLE_RATE_HZ)
    }
    if trusted <= {whole.code}:
        return replace(whole, is_probed=True)
    # What is not trusted is as likely a relative of what is spoken before it, or of what is spoken first.
    known = [own if own in trusted else None for own, _ in probed]
    last = next(own for own in known if own is not None)
    changes: list[tuple[SampleSpan, str]] = []
    for span, own in zip(window.stretches, known, strict=True):
        last = own or last
        changes.append((span, last))
    if len({own for _, own in changes}) == 1 and whole.probability > max(probability for _, probability in found):
        return replace(whole, is_probed=True)  # no change in it, and the whole is more certain than any stretch
    return replace(whole, is_probed=True, changes=tuple(changes))


def trusted_from(seconds: float) -> float:
    """Return the probability from which a stretch of this length is trusted to be in its own language."""
    missing = min(1.0, max(0.0, (TRUSTED_S - seconds) / (TRUSTED_S - SHORT_S)))
    return TRUSTED_PROBABILITY + missing * (SHORT_TRUSTED_PROBABILITY - TRUSTED_PROBABILITY)
