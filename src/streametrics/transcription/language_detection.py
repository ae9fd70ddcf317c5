"""Detects which language is spoken where in a window of speech.

Whisper decodes a window in one language, and translates or leaves out what is said in another. Its probability of the
window's language tells whether there is one: with a change of language in it, it is hardly ever high
(docs/decisions/0034 has both distributions). So only the stretches of a doubtful window are looked at one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streametrics.audio.pcm import SAMPLE_RATE_HZ
from streametrics.transcription.engine import ExecutionContext, SpeechWindow
from streametrics.transcription.vad import SampleSpan

#: From this probability on, a window is taken to hold one language: 63 of 66 windows in which only one is spoken, and
#: 17 of 57 with several, most of these with a short word of the other.
ONE_LANGUAGE_PROBABILITY = 0.95
#: A stretch is trusted from this probability on where it is 2 s long or longer, and the shorter it is the later, up to
#: 0.9 at 0.7 s: below 2 s one of six is taken for a related language.
TRUSTED_PROBABILITY, SHORT_TRUSTED_PROBABILITY = 0.5, 0.9
TRUSTED_S, SHORT_S = 2.0, 0.7
#: Audio on both sides of a stretch that is looked at with it, for soft beginnings and ends of words.
PROBE_PADDING_S = 0.2


@dataclass(frozen=True, slots=True)
class WindowLanguage:
    """The language of a window, and its probability.

    changes: where several are spoken, each stretch of the window, in samples from its beginning, with its language.
    """

    code: str
    probability: float
    changes: tuple[tuple[SampleSpan, str], ...] = ()


def detect_languages(
    context: ExecutionContext, windows: Sequence[SpeechWindow], is_asked: Sequence[bool]
) -> list[WindowLanguage]:
    """Detect the windows' languages, and those of the stretches of the windows that seem to hold several.

    is_asked: for each window, whether its language is not known already.
    """
    found: list[WindowLanguage] = []
    for window, asked, (code, probability) in zip(windows, is_asked, context.detect_languages(windows), strict=True):
        is_doubtful = asked and probability < ONE_LANGUAGE_PROBABILITY and len(window.stretches) > 1
        found.append(WindowLanguage(code, probability, _changes(context, window, code) if is_doubtful else ()))
    return found


def _changes(context: ExecutionContext, window: SpeechWindow, code: str) -> tuple[tuple[SampleSpan, str], ...]:
    padding = int(PROBE_PADDING_S * SAMPLE_RATE_HZ)
    probed = context.probe_languages(
        [window.samples[max(0, span.start - padding) : span.end + padding] for span in window.stretches]
    )
    trusted = {
        own
        for span, (own, probability) in zip(window.stretches, probed, strict=True)
        if probability >= trusted_from(len(span) / SAMPLE_RATE_HZ)
    }
    if not trusted - {code} and len(trusted) <= 1:
        return ()
    languages: list[str] = []
    for _, (own, _) in zip(window.stretches, probed, strict=True):
        # What is not trusted is as likely a relative of what is spoken around it.
        languages.append(own if own in trusted else languages[-1] if languages else "")
    first = next(each for each in languages if each)
    return tuple((span, each or first) for span, each in zip(window.stretches, languages, strict=True))


def trusted_from(seconds: float) -> float:
    """Return the probability from which a stretch of this length is trusted to be in its own language."""
    missing = min(1.0, max(0.0, (TRUSTED_S - seconds) / (TRUSTED_S - SHORT_S)))
    return TRUSTED_PROBABILITY + missing * (SHORT_TRUSTED_PROBABILITY - TRUSTED_PROBABILITY)
