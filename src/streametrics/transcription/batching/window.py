"""One window of a request: the segments decoded in it, and the windows that replace or complete it.

A window in which several languages are spoken is replaced by one for each run of stretches in one language. A window in
which somebody speaks where no words were found is completed: what is missing is transcribed again, by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Generic, TypeVar

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, SpeechTask, TimeSpan
from streametrics.transcription import coverage
from streametrics.transcription.engine import SpeechWindow
from streametrics.transcription.hallucination_filter import (
    CLEAR_SPEECH_PROBABILITY,
    SUSTAINED_S,
    is_voiced,
)
from streametrics.transcription.language_detection import WindowLanguage
from streametrics.transcription.vad import SampleSpan, VoiceActivity
from streametrics.transcription.windowing import PHRASE_PAUSE_S, extract_window, pad_span, place_segment

#: How speech without words is transcribed again: all that lies together, then each phrase by itself, and at last each
#: piece between pauses that are hardly any.
TOGETHER, PHRASE, PIECE = 1, 2, 3
#: The least phrase and piece, in seconds: two short words.
MIN_PHRASE_S = 0.7
#: Speech without words is transcribed again where a voice is this probable, and clear in a stretch beside it.
PROBABLE_SPEECH = 0.5

Request = TypeVar("Request")


@dataclass(frozen=True, slots=True)
class RequestAudio:
    """The samples of a request, where somebody speaks in them, and what to decode them to."""

    samples: Samples
    voice: VoiceActivity
    task: SpeechTask = "transcribe"

    def with_speech(self, spans: Sequence[SampleSpan], least: float) -> list[SampleSpan]:
        """Return the spans with at least such a speech probability, over half a second."""
        return [
            span
            for span in spans
            if self.voice.speech_probability(span.start / SAMPLE_RATE_HZ, span.end / SAMPLE_RATE_HZ, over_s=SUSTAINED_S)
            >= least
        ]


class Window(Generic[Request]):
    """A window of a request's audio. request: whose it is.

    span: what the engine is given. voiced: what of it is transcribed, without padding. speech: the span's samples.
    language: the one to decode it in, None until it is known. segments: decoded so far, in seconds of the request's
    audio. parts: the windows that complete it or, where `is_split`, replace it. depth: how often its audio was
    transcribed before.
    """

    def __init__(
        self,
        request: Request,
        audio: RequestAudio,
        span: SampleSpan,
        *,
        language: str | None,
        voiced: SampleSpan | None = None,
        depth: int = 0,
    ) -> None:
        self.request, self.span, self.language, self.depth = request, span, language, depth
        self.voiced = voiced or span
        self.speech = extract_window(audio.samples, span, audio.voice)
        self.detected: WindowLanguage | None = None
        self.segments: list[Segment] = []
        self.parts: list[Window[Request]] = []
        self.is_decoded = self.is_split = False
        self._audio = audio

    @property
    def is_finished(self) -> bool:
        """Tell whether it and its parts are decoded."""
        return (self.is_decoded or self.is_split) and all(part.is_finished for part in self.parts)

    @property
    def is_open(self) -> bool:
        """Tell whether it is still to be decoded itself."""
        return not self.is_decoded and not self.is_split

    @property
    def needs_language(self) -> bool:
        return self.language is None and not self.is_split

    @property
    def to_decode(self) -> SpeechWindow:
        """The span's samples with the task; English needs no translation, and Whisper has not learned any."""
        return self.speech if self.language == "en" else replace(self.speech, task=self._audio.task)

    @property
    def length_s(self) -> float:
        """Seconds between the beginning of the first and the end of the last speech in it."""
        stretches = self.speech.stretches
        return (stretches[-1].end - stretches[0].start) / SAMPLE_RATE_HZ if stretches else 0.0

    def all_parts(self) -> Iterator["Window[Request]"]:
        """Yield its parts and theirs."""
        for part in self.parts:
            yield part
            yield from part.all_parts()

    def split_by_language(self) -> list["Window[Request]"]:
        """Replace the window by one for each run of stretches in one language; [] where it is decoded in that one."""
        assert self.detected is not None
        runs = [(code, [span for span, _ in run]) for code, run in groupby(self.detected.changes, key=lambda it: it[1])]
        if len(runs) < 2 and (not runs or self.language in (None, runs[0][0])):
            return []
        self.segments.clear()
        self.is_split = True
        for code, spans in runs:
            voiced = SampleSpan(self.span.start + spans[0].start, self.span.start + spans[-1].end)
            self._add_part(voiced, language=code, depth=self.depth)
        return self.parts

    def complete(self, *, language: str | None) -> list["Window[Request]"]:
        """Add windows for speech that no words cover, to be transcribed again; [] where nothing is missing.

        Words that are guesses cover nothing. language: the one to decode them in, None to detect it.
        """
        kept = self._without_guesses(self.segments)
        if self.depth == PHRASE and not kept:
            return []  # it said nothing to the phrase: a song, most likely, which its pieces will not change
        phrases = self._phrases()
        uncovered = coverage.uncovered(phrases, kept)
        if self._audio.task == "translate":
            # Without words there is no telling which part of a segment would be said twice.
            uncovered = coverage.untouched(uncovered, kept)
        missing = self._audio.with_speech(uncovered, PROBABLE_SPEECH)
        for run in _adjacent(missing, phrases):
            if not self._audio.with_speech(run, CLEAR_SPEECH_PROBABILITY):
                continue
            if self.depth < TOGETHER and 1 < len(run) < len(phrases):
                self._add_part(SampleSpan(run[0].start, run[-1].end), language=language, depth=TOGETHER)
            elif self.depth < PHRASE and (len(phrases) > 1 or len(run[0]) < len(phrases[0])):
                for span in run:
                    self._add_part(span, language=language, depth=PHRASE)
            elif self.depth < PIECE:
                for span in run:
                    self._add_pieces(span, language=language)
        return self.parts

    def _without_guesses(self, segments: Sequence[Segment]) -> list[Segment]:
        """Return the segments in whose own time there is as much of a voice as the engine's doubts ask for.

        Stricter than the filter, which looks half a second around: what is taken for a guess here is tried once more.
        """
        return [each for each in segments if is_voiced(each, self._audio.voice, each.start, each.end)]

    def _add_pieces(self, span: SampleSpan, *, language: str | None) -> None:
        pieces = self._audio.voice.phrases(span, least_pause_s=0.0, least_s=MIN_PHRASE_S)
        if len(pieces) > 1 or len(span) < len(self.voiced):
            for piece in pieces:
                self._add_part(piece, language=language, depth=PIECE)

    def _phrases(self) -> list[SampleSpan]:
        return self._audio.voice.phrases(self.voiced, least_pause_s=PHRASE_PAUSE_S, least_s=MIN_PHRASE_S)

    def _add_part(self, voiced: SampleSpan, *, language: str | None, depth: int) -> None:
        span = pad_span(voiced, self._audio.voice.spans, len(self._audio.samples))
        self.parts.append(Window(self.request, self._audio, span, language=language, voiced=voiced, depth=depth))

    def add(self, segment: Segment) -> None:
        """Add a decoded segment, whose times count from the window's beginning."""
        placed = place_segment(segment, self.span, self._audio.voice, after_s=self.span.start / SAMPLE_RATE_HZ)
        placed = replace(placed, statistics=segment.statistics, language=self.language)
        self.segments.append(placed if self._audio.task == "transcribe" else replace(placed, language="en", words=()))

    def unheard(self, segments: Sequence[Segment]) -> list[TimeSpan]:
        """Return where in the window somebody speaks beyond doubt, and none of these segments has words."""
        return [
            TimeSpan(span.start / SAMPLE_RATE_HZ, span.end / SAMPLE_RATE_HZ)
            for span in self._audio.with_speech(coverage.uncovered(self._phrases(), segments), CLEAR_SPEECH_PROBABILITY)
        ]

    def merged(self) -> list[Segment]:
        """Return the segments of the window and its parts, in order of time.

        A part that completes the window takes the place of the words in its time only where it has more of them.
        """
        if self.is_split:
            return [segment for part in self.parts for segment in part.merged()]
        segments = self.segments
        for part in self.parts:
            found = self._without_guesses(part.merged())
            before = "".join(word.text for word in coverage.words_in(self._without_guesses(segments), part.voiced))
            if sum(coverage.count_units(segment.text) for segment in found) > coverage.count_units(before):
                segments = sorted([*coverage.without(segments, part.voiced), *found], key=lambda each: each.start)
        return segments


def _adjacent(missing: Sequence[SampleSpan], phrases: Sequence[SampleSpan]) -> list[list[SampleSpan]]:
    """Group the missing spans between which no phrase lies that has words."""
    runs: list[list[SampleSpan]] = []
    for span in missing:
        between = [each for each in phrases if runs and runs[-1][-1].end <= each.start < each.end <= span.start]
        if runs and not between:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs
