"""Tracks one transcription request: its windows of speech, the segments decoded so far, and its outcome."""

import logging
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, playable
from streametrics.domain.transcript import Segment, Transcript
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.base import Outcome, TranscriptionRequest
from streametrics.transcription.engine import Engine, SpeechWindow
from streametrics.transcription.hallucination_filter import HallucinationFilter
from streametrics.transcription.vad import SampleSpan, VoiceActivity, detect_speech
from streametrics.transcription.windowing import build_windows, extract_window, place_segment, split_in_half

#: A later window changes the language only where it is this long, and its probability this high (the library's bound).
LANGUAGE_MIN_S = 5.0
LANGUAGE_MIN_PROBABILITY = 0.5

logger = logging.getLogger(__name__)


class RequestWindow:
    """One window of a request. pending: segments that are decoded and not yet emitted; None marks its end.

    detected: its own language and that one's probability, once detected. language: the one to decode it in.
    """

    def __init__(self, request: "RequestState", span: SampleSpan, speech: SpeechWindow, language: str | None) -> None:
        self.request, self.span, self.speech = request, span, speech
        self.detected: tuple[str, float] | None = None
        self.language = language
        self.pending: deque[Segment | None] = deque()
        self.has_emitted = self.is_decoded = False


class RequestState:
    """Holds a request's state. windows: those not emitted to their end yet. outcome: None until it has ended."""

    def __init__(self, engine: Engine, number: int, request: TranscriptionRequest) -> None:
        self.number, self.background = number, request.background
        self.outcome: Outcome | None = None
        self.windows: deque[RequestWindow] = deque()
        self._request = request
        self._language = request.speech_language
        self._voice_activity = VoiceActivity([], np.zeros(0, np.float32))
        self._filter = HallucinationFilter(self._voice_activity)
        self._segments: list[Segment] = []
        self._characters: Counter[str] = Counter()
        with self._isolated():
            self._build_windows(engine)

    @contextmanager
    def _isolated(self) -> Iterator[None]:
        """End this request, and no other, with what is raised in the block."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - callbacks raise what they like, and their owner is given it
            self.outcome = error

    def _build_windows(self, engine: Engine) -> None:
        if self._language is not None and self._language not in engine.known_languages:
            raise TranscriptionFailed(f"The model '{engine.model}' does not know the language '{self._language}'")
        samples = playable(self._request.samples)
        self._voice_activity = detect_speech(samples)
        self._filter = HallucinationFilter(self._voice_activity)
        spans = self._voice_activity.spans
        for window in build_windows(spans, len(samples)):
            for span in split_in_half(window, spans) if engine.benefits_from_half_windows else [window]:
                self.windows.append(RequestWindow(self, span, extract_window(samples, span, spans), self._language))
        self._finish_if_decoded()

    def check(self) -> None:
        """Ask the request's owner whether it is still wanted."""
        if self._request.check is not None and self.outcome is None:
            with self._isolated():
                self._request.check()

    def assign_languages(self) -> None:
        """Set the windows' languages, in order, up to the first whose own is not detected yet.

        The language of the window before stays unless a window is long and its detection probable enough.
        """
        for window in self.windows:
            if window.language is None:
                if window.detected is None:
                    return
                code, probability = window.detected
                is_long = len(window.speech.samples) >= LANGUAGE_MIN_S * SAMPLE_RATE_HZ
                if self._language is None or (is_long and probability >= LANGUAGE_MIN_PROBABILITY):
                    self._language = code
                window.language = self._language

    def add(self, window: RequestWindow, segment: Segment | None) -> None:
        """Take a decoded segment, or a window's end, and emit all segments that no unfinished window precedes."""
        window.pending.append(segment)
        window.is_decoded = segment is None
        with self._isolated():
            while self.windows and self.windows[0].pending:
                self._emit(self.windows[0], self.windows[0].pending.popleft())
            self._finish_if_decoded()

    def _emit(self, window: RequestWindow, segment: Segment | None) -> None:
        if segment is None:
            self.windows.popleft()
            return
        window.has_emitted = True
        kept = self._filter.apply(segment, offset_s=window.span.start / SAMPLE_RATE_HZ)
        if kept is None:
            return
        after_s = self._segments[-1].end if self._segments else 0.0
        segment = place_segment(kept, window.span, self._voice_activity, after_s=after_s)
        self._segments.append(segment)
        assert window.language is not None
        self._characters[window.language] += len(segment.text)
        if self._request.on_segment is not None:
            self._request.on_segment(segment)

    def _finish_if_decoded(self) -> None:
        if not self.windows:
            language = self._characters.most_common(1)[0][0] if self._characters else None
            left_out = dict(self._filter.left_out)
            if left_out:
                reasons = " ".join(f"{reason}={words}" for reason, words in left_out.items())
                logger.info("event=words_filtered words=%d %s", sum(left_out.values()), reasons)
            self.outcome = Transcript(tuple(self._segments), language, left_out)
