"""Tracks one transcription request: its windows of speech, their languages, the segments so far, and its outcome."""

import logging
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, playable
from streametrics.domain.transcript import Segment, TimeSpan, Transcript
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.base import Outcome, TranscriptionRequest
from streametrics.transcription.batching.window import RequestAudio, Window
from streametrics.transcription.engine import Engine
from streametrics.transcription.hallucination_filter import HallucinationFilter
from streametrics.transcription.language_detection import (
    OWN_LANGUAGE_PROBABILITY,
    TRUSTED_S,
    WindowLanguage,
    trusted_from,
)
from streametrics.transcription.vad import VoiceActivity, detect_speech
from streametrics.transcription.windowing import build_windows, split_in_half, starting_after

#: A later window changes the language only where it is this long, and its probability this high (the library's bound).
LANGUAGE_MIN_S = 5.0
LANGUAGE_MIN_PROBABILITY = 0.5

#: A window, and the request that it belongs to.
RequestWindow: TypeAlias = "Window[RequestState]"

logger = logging.getLogger(__name__)


class RequestState:
    """Holds a request's state.

    windows: those not emitted yet, in order of time. added: windows that no batch was made of yet. outcome: None until
    the request has ended.
    """

    def __init__(self, engine: Engine, number: int, request: TranscriptionRequest) -> None:
        self.number, self.background = number, request.background
        self.outcome: Outcome | None = None
        self.windows: deque[RequestWindow] = deque()
        self._added: list[RequestWindow] = []
        self._unheard: list[TimeSpan] = []
        self._request = request
        self._language = request.speech_language
        self._audio = RequestAudio(np.zeros(0, np.float32), VoiceActivity([], np.zeros(0, np.float32)))
        self._filter = HallucinationFilter(self._audio.voice)
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
        if self._request.task == "translate" and list(engine.known_languages) == ["en"]:
            raise TranscriptionFailed(f"The model '{engine.model}' knows English alone, so it cannot translate")
        samples = playable(self._request.samples)
        voice = detect_speech(samples)
        self._audio, self._filter = RequestAudio(samples, voice, self._request.task), HallucinationFilter(voice)
        for window in build_windows(voice.spans, len(samples)):
            for span in split_in_half(window, voice.spans) if engine.benefits_from_half_windows else [window]:
                self.windows.append(Window(self, self._audio, span, language=self._language))
        self._added += self.windows
        self._finish_if_decoded()

    def take_added(self) -> list[RequestWindow]:
        """Return the windows that were added since the last call, to be decoded."""
        added, self._added = self._added, []
        return added

    def check(self) -> None:
        """Ask the request's owner whether it is still wanted."""
        if self._request.check is not None and self.outcome is None:
            with self._isolated():
                self._request.check()

    def assign_languages(self) -> None:
        """Set the windows' languages, in order, up to the first whose own is not detected yet.

        The language of the window before stays unless a window is long and its detection probable enough; a shorter one
        is in its own where that is more probable still.
        """
        with self._isolated():
            for window in self.windows:
                for part in window.all_parts():
                    if part.needs_language and part.detected is not None:
                        self._assign_to_part(part, part.detected)
            for window in self.windows:
                if window.needs_language:
                    if window.detected is None:
                        return
                    self._assign(window, window.detected)

    def _assign(self, window: RequestWindow, detected: WindowLanguage) -> None:
        if self._follow_changes(window, detected):
            self._language = window.language or self._language
            return
        is_long = len(window.speech.samples) >= LANGUAGE_MIN_S * SAMPLE_RATE_HZ
        if self._language is None or (is_long and detected.probability >= LANGUAGE_MIN_PROBABILITY):
            self._language = detected.code
        is_own = window.length_s >= TRUSTED_S and detected.probability >= OWN_LANGUAGE_PROBABILITY
        window.language = detected.code if is_own else self._language

    def _assign_to_part(self, part: RequestWindow, detected: WindowLanguage) -> None:
        """Set the language of speech that is transcribed again: its own, unless that is in doubt."""
        if not self._follow_changes(part, detected):
            is_clear = detected.probability >= trusted_from(part.length_s)
            part.language = detected.code if is_clear else self._language or detected.code

    def _follow_changes(self, window: RequestWindow, detected: WindowLanguage) -> bool:
        """Split a window by its changes of language, or set its language to the only one; False where it has none."""
        if parts := window.split_by_language():
            self._added += parts
        elif detected.changes:
            window.language = detected.changes[0][1]
        return bool(detected.changes)

    def reconsider(self, window: RequestWindow, language: WindowLanguage) -> None:
        """Transcribe a decoded window again where other languages are spoken in it."""
        window.detected = language
        with self._isolated():
            self._added += window.split_by_language()

    def add(self, window: RequestWindow, segment: Segment | None) -> None:
        """Take a decoded segment, or a window's end, and emit the windows that no unfinished one precedes."""
        with self._isolated():
            if segment is not None:
                window.add(segment)
                return
            window.is_decoded = True
            if not window.is_split:
                self._added += window.complete(language=self._request.speech_language)
            while self.windows and self.windows[0].is_finished:
                self._emit(self.windows.popleft())
            self._finish_if_decoded()

    def _emit(self, window: RequestWindow) -> None:
        kept = [segment for each in window.merged() if (segment := self._filter.apply(each)) is not None]
        self._unheard += window.unheard(kept)
        for segment in kept:
            self._emit_segment(segment)

    def _emit_segment(self, segment: Segment) -> None:
        segment = starting_after(segment, self._segments[-1].end if self._segments else 0.0)
        self._segments.append(segment)
        assert segment.language is not None
        self._characters[segment.language] += len(segment.text)
        if self._request.on_segment is not None:
            self._request.on_segment(segment)

    def _finish_if_decoded(self) -> None:
        if not self.windows:
            language = self._characters.most_common(1)[0][0] if self._characters else None
            left_out = dict(self._filter.left_out)
            if left_out:
                reasons = " ".join(f"{reason}={words}" for reason, words in left_out.items())
                logger.info("event=words_filtered words=%d %s", sum(left_out.values()), reasons)
            if self._unheard:
                unheard_s = sum(span.end_s - span.start_s for span in self._unheard)
                logger.info("event=speech_unheard seconds=%.1f stretches=%d", unheard_s, len(self._unheard))
            self.outcome = Transcript(tuple(self._segments), language, left_out, tuple(self._unheard))
