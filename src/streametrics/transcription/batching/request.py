"""A sound on its way: its windows of speech, what was said in them so far, and how it ended."""

import logging
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from streametrics.audio.pcm import SAMPLE_RATE_HZ, playable
from streametrics.domain.transcript import Segment, Transcript
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.base import Outcome, Sound
from streametrics.transcription.engine import Engine, SpeechWindow
from streametrics.transcription.hallucination_filter import Judge
from streametrics.transcription.vad import Span, Voice, find_voice
from streametrics.transcription.windowing import cut_out, halves, place, windows

#: A later window changes the language only when it is this long, and this sure (the library's own bound).
LANGUAGE_MIN_S = 5.0
LANGUAGE_MIN_PROBABILITY = 0.5

logger = logging.getLogger(__name__)


class Window:
    """A window on its way. parts: what was said in it and is not told yet; None is its end.

    found: its own language and how sure that is, once detected. language: the one it is heard in, once that is known.
    """

    def __init__(self, sound: "OneSound", span: Span, heard: SpeechWindow, language: str | None) -> None:
        self.sound, self.span, self.heard = sound, span, heard
        self.found: tuple[str, float] | None = None
        self.language = language
        self.parts: deque[Segment | None] = deque()
        self.is_told = self.is_heard = False


class OneSound:
    """windows: those that are not told to their end; outcome: None until the sound has ended."""

    def __init__(self, engine: Engine, number: int, sound: Sound) -> None:
        self.number, self.background = number, sound.background
        self.outcome: Outcome | None = None
        self.windows: deque[Window] = deque()
        self._sound = sound
        self._language = sound.speech_language
        self._voice = Voice([], np.zeros(0, np.float32))
        self._judge = Judge(self._voice)
        self._segments: list[Segment] = []
        self._spoken: Counter[str] = Counter()
        with self._alone():
            self._find_speech(engine)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """What is raised in here ends this sound and no other."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - listeners raise what they like, and it is handed to their owner
            self.outcome = error

    def _find_speech(self, engine: Engine) -> None:
        if self._language is not None and self._language not in engine.known_languages:
            raise TranscriptionFailed(f"The model '{engine.model}' does not know the language '{self._language}'")
        samples = playable(self._sound.samples)
        self._voice = find_voice(samples)
        self._judge = Judge(self._voice)
        spans = self._voice.spans
        for window in windows(spans, len(samples)):
            for span in halves(window, spans) if engine.gains_by_halves else [window]:
                self.windows.append(Window(self, span, cut_out(samples, span, spans), self._language))
        self._end_if_heard()

    def check(self) -> None:
        """Ask the owner whether this is still wanted."""
        if self._sound.check is not None and self.outcome is None:
            with self._alone():
                self._sound.check()

    def follow(self) -> None:
        """Give windows their languages, in order, up to the first whose own was not found yet.

        The language before it stays unless a window is long and sure enough to change it.
        """
        for window in self.windows:
            if window.language is None:
                if window.found is None:
                    return
                code, probability = window.found
                is_long = len(window.heard.samples) >= LANGUAGE_MIN_S * SAMPLE_RATE_HZ
                if self._language is None or (is_long and probability >= LANGUAGE_MIN_PROBABILITY):
                    self._language = code
                window.language = self._language

    def tell(self, window: Window, part: Segment | None) -> None:
        """Something was said in a window, or all was; what belongs behind an unfinished window waits for it."""
        window.parts.append(part)
        window.is_heard = part is None
        with self._alone():
            while self.windows and self.windows[0].parts:
                self._take(self.windows[0], self.windows[0].parts.popleft())
            self._end_if_heard()

    def _take(self, window: Window, part: Segment | None) -> None:
        if part is None:
            self.windows.popleft()
            return
        window.is_told = True
        believed = self._judge.believed(part, offset_s=window.span.start / SAMPLE_RATE_HZ)
        if believed is None:
            return
        after_s = self._segments[-1].end if self._segments else 0.0
        segment = place(believed, window.span, self._voice.spans, after_s=after_s)
        self._segments.append(segment)
        assert window.language is not None
        self._spoken[window.language] += len(segment.text)
        if self._sound.on_segment is not None:
            self._sound.on_segment(segment)

    def _end_if_heard(self) -> None:
        if not self.windows:
            language = self._spoken.most_common(1)[0][0] if self._spoken else None
            left_out = dict(self._judge.left_out)
            if left_out:
                reasons = " ".join(f"{reason}={words}" for reason, words in left_out.items())
                logger.info("event=words_filtered words=%d %s", sum(left_out.values()), reasons)
            self.outcome = Transcript(tuple(self._segments), language, left_out)
