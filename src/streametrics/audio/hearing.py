"""Leads an engine over all speech of one sound, or of several in common passes.

A pass of a model takes a number of windows of speech, and whose they are does not matter to it. So windows of
several sounds share passes; each sound is told of its own words alone, and what goes wrong with one ends that one.
"""

import logging
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import numpy as np

from streametrics.audio.detection import Span, Voice, find_voice
from streametrics.audio.doubt import Judge
from streametrics.audio.voice import Engine, SpeechWindow, cut_out, halves, place, playable, windows
from streametrics.errors import TranscriptionFailed
from streametrics.transcriber import SAMPLE_RATE_HZ, OnSegment, Outcome, Samples, Segment, Sound, Transcript

#: A later window changes the language only when it is this long, and this sure (the library's own bound).
LANGUAGE_MIN_S = 5.0
LANGUAGE_MIN_PROBABILITY = 0.5

logger = logging.getLogger(__name__)


def transcribe_speech(
    engine: Engine, samples: Samples, *, speech_language: str | None, on_segment: OnSegment | None
) -> Transcript:
    """Lead `engine` over all speech in `samples` (16 kHz, mono, -1…1); times stay those of `samples`.

    Without `speech_language` each window's language is detected, so a stream may change it; the transcript's
    language is the one that was spoken longest. Raises TranscriptionFailed where the engine does not know
    `speech_language`; whatever `on_segment` raises passes through.
    """
    ((_, outcome),) = transcribe_together(engine, [Sound(samples, speech_language, on_segment)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def transcribe_together(engine: Engine, sounds: Iterable[Sound]) -> Iterator[tuple[int, Outcome]]:
    """The same for several sounds: each one's number, in the order given, and what became of it.

    A sound is asked for when a pass has room for it, so the first does not wait until the last is decoded. When a
    pass fails, each sound in it is heard by itself, once.
    """
    coming = enumerate(sounds)
    hearings: list[_Hearing] = []
    is_more = True
    while is_more or hearings:
        while is_more and sum(len(each.windows) for each in hearings) < engine.windows_at_once:
            if (following := next(coming, None)) is None:
                is_more = False
            else:
                hearings.append(_Hearing(engine, *following))
        for hearing in hearings:
            hearing.check()
        yield from _over(hearings)
        chosen = list(islice((window for each in hearings for window in each.windows), engine.windows_at_once))
        if chosen:
            for _ in _pass(engine, chosen):
                yield from _over(hearings)


def _over(hearings: "list[_Hearing]") -> Iterator[tuple[int, Outcome]]:
    """Take those out of the list that have ended, and say how."""
    for hearing in list(hearings):
        if hearing.outcome is not None:
            hearings.remove(hearing)
            yield hearing.number, hearing.outcome


class _Window:
    """A window on its way. parts: what was said in it and is not told yet; None is its end."""

    def __init__(self, hearing: "_Hearing", span: Span, heard: SpeechWindow) -> None:
        self.hearing, self.span, self.heard = hearing, span, heard
        self.language = "en"
        self.parts: deque[Segment | None] = deque()
        self.is_told = self.is_heard = False


class _Hearing:
    """A sound on its way. windows: those that are not told to their end; outcome: None until it has ended."""

    def __init__(self, engine: Engine, number: int, sound: Sound) -> None:
        self.number = number
        self.outcome: Outcome | None = None
        self.windows: deque[_Window] = deque()
        self._sound = sound
        self._language = sound.speech_language
        self._voice = Voice([], np.zeros(0, np.float32))
        self._judge = Judge(self._voice)
        self._segments: list[Segment] = []
        self._spoken: Counter[str] = Counter()
        with self._alone():
            self._find_speech(engine)

    @property
    def asks_for_its_language(self) -> bool:
        return self._sound.speech_language is None

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
                self.windows.append(_Window(self, span, cut_out(samples, span, spans)))
        self._end_if_heard()

    def check(self) -> None:
        """Ask the owner whether this is still wanted."""
        if self._sound.check is not None and self.outcome is None:
            with self._alone():
                self._sound.check()

    def follow(self, window: _Window, code: str, probability: float) -> None:
        """Give a window its language: the one before it stays unless this one is long and sure enough to change it."""
        if self.asks_for_its_language:
            is_long = len(window.heard.samples) >= LANGUAGE_MIN_S * SAMPLE_RATE_HZ
            if self._language is None or (is_long and probability >= LANGUAGE_MIN_PROBABILITY):
                self._language = code
        window.language = self._language or code

    def tell(self, window: _Window, part: Segment | None) -> None:
        """Something was said in a window, or all was; what belongs behind an unfinished window waits for it."""
        window.parts.append(part)
        window.is_heard = part is None
        with self._alone():
            while self.windows and self.windows[0].parts:
                self._take(self.windows[0], self.windows[0].parts.popleft())
            self._end_if_heard()

    def _take(self, window: _Window, part: Segment | None) -> None:
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


def _pass(engine: Engine, chosen: Sequence[_Window]) -> Iterator[None]:
    """Hear these windows; comes back whenever something may have ended a sound."""
    hearings = list(dict.fromkeys(window.hearing for window in chosen))
    try:
        _find_languages(engine, chosen)
        heard = engine.decode([window.heard for window in chosen], [window.language for window in chosen])
        for number, part in heard:
            if chosen[number].hearing.outcome is None:
                chosen[number].hearing.tell(chosen[number], part)
                yield
            if all(hearing.outcome is not None for hearing in hearings):
                return  # nobody wants the rest
        for window in chosen:
            if not window.is_heard and window.hearing.outcome is None:
                window.hearing.tell(window, None)
    except Exception as error:  # noqa: BLE001 - one sound's trouble, such as no memory, must not end the others
        yield from _alone_after(error, engine, hearings, chosen)
    yield


def _alone_after(
    error: Exception, engine: Engine, hearings: Sequence[_Hearing], chosen: Sequence[_Window]
) -> Iterator[None]:
    """A pass failed: each of its sounds by itself; the error is that of a sound which was by itself already."""
    if len(hearings) > 1:
        logger.warning("a pass of %d sounds failed, each is heard by itself: %r", len(hearings), error)
    for hearing in hearings:
        rest = [window for window in chosen if window.hearing is hearing and not window.is_heard]
        if hearing.outcome is not None:
            continue
        if len(hearings) == 1 or any(window.is_told for window in rest):
            hearing.outcome = error
            yield
        else:
            yield from _pass(engine, rest)


def _find_languages(engine: Engine, chosen: Sequence[_Window]) -> None:
    found = [("en", 0.0)] * len(chosen)
    if any(window.hearing.asks_for_its_language for window in chosen):
        # All of them, the known ones too: the engine encodes the pass once, for this and for its words.
        found = engine.detect_languages([window.heard for window in chosen])
    for window, (code, probability) in zip(chosen, found, strict=True):
        window.hearing.follow(window, code, probability)
