"""Leads an engine over all speech of one sound, or of several in common passes.

A pass of a model takes a number of windows of speech, and whose they are does not matter to it. So windows of
several sounds share passes; each sound is told of its own words alone, and what goes wrong with one ends that one.
"""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Transcript
from streametrics.transcription.base import OnSegment, Outcome, TranscriptionRequest
from streametrics.transcription.batching.execution import (
    Batch,
    BatchEvent,
    BatchFinished,
    ExecutionPool,
    LanguagesDetected,
    SegmentDecoded,
)
from streametrics.transcription.batching.request import RequestState, RequestWindow
from streametrics.transcription.engine import Engine

#: An idle lane asks for another sound as often as this while other lanes are at work, in seconds.
POLL_INTERVAL_S = 0.2
#: What `next` gives behind the last sound.
_EXHAUSTED = object()

logger = logging.getLogger(__name__)


def transcribe_speech(
    engine: Engine, samples: Samples, *, speech_language: str | None, on_segment: OnSegment | None
) -> Transcript:
    """Lead `engine` over all speech in `samples` (16 kHz, mono, -1…1); times stay those of `samples`.

    Without `speech_language` each window's language is detected, so a stream may change it; the transcript's
    language is the one that was spoken longest. Raises TranscriptionFailed where the engine does not know
    `speech_language`; whatever `on_segment` raises passes through.
    """
    ((_, outcome),) = transcribe_batch(engine, [TranscriptionRequest(samples, speech_language, on_segment)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def transcribe_batch(engine: Engine, sounds: Iterable[TranscriptionRequest | None]) -> Iterator[tuple[int, Outcome]]:
    """The same for several sounds: each one's number, in the order given, and what became of it.

    A sound is asked for when there is room for it, so the first does not wait until the last is decoded. When a
    pass fails, each sound in it is heard by itself, once. None among the sounds: see `Transcriber`.
    """
    with ExecutionPool(engine.execution_contexts) as execution_contexts:
        yield from _BatchScheduler(engine, execution_contexts, sounds).outcomes()


class _BatchScheduler:
    """Sounds that are heard together. waiting: windows that no pass has taken yet, in the order in which they came.

    is_more: other sounds may come; none_now: but there was none when it was asked for last.
    """

    def __init__(
        self, engine: Engine, execution_contexts: ExecutionPool, sounds: Iterable[TranscriptionRequest | None]
    ) -> None:
        self._engine, self._pool = engine, execution_contexts
        self._coming, self._asked = iter(sounds), 0
        self._is_more, self._none_now = True, False
        self._sounds: list[RequestState] = []
        self._waiting: list[RequestWindow] = []
        self._again: list[list[RequestWindow]] = []

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """As each is known. A lane that is idle comes first, and what was said before another sound is asked for."""
        execution_contexts = self._pool
        while self._is_more or self._sounds:
            for running in execution_contexts.passes:
                running.let_decode()
            if execution_contexts.has_news:
                self._take(execution_contexts.news())
            elif execution_contexts.idle and (chosen := self._next_pass()):
                execution_contexts.begin(Batch(chosen))
            elif self._has_room:
                self._ask()
            elif execution_contexts.passes:
                self._take(
                    execution_contexts.news(POLL_INTERVAL_S if execution_contexts.idle and self._is_more else None)
                )
            yield from self._over()

    def _over(self) -> Iterator[tuple[int, Outcome]]:
        """Take those out that have ended, and say how."""
        for sound in list(self._sounds):
            if sound.outcome is not None:
                self._sounds.remove(sound)
                yield sound.number, sound.outcome

    @property
    def _has_room(self) -> bool:
        """Whether another sound is to be asked for: for an idle lane, or ahead while all of them are at work."""
        is_time = self._pool.idle > 0 or self._pool.are_several
        return self._may_come and is_time and len(self._waiting) < self._engine.max_batch_windows

    @property
    def _may_come(self) -> bool:
        return self._is_more and not (self._none_now and self._sounds)

    def _ask(self) -> None:
        following = next(self._coming, _EXHAUSTED)
        if isinstance(following, TranscriptionRequest):
            sound = RequestState(self._engine, self._asked, following)
            self._asked += 1
            self._sounds.append(sound)
            self._waiting += sound.windows
        else:
            self._none_now = True
            self._is_more = following is None and bool(self._sounds)

    def _next_pass(self) -> list[RequestWindow]:
        """The windows of the sounds that came first, an idle lane's share of them; [] where there are too few.

        Sounds in the background come last. Their passes are half as long, so that others which come meanwhile have
        their turn soon, and they share none with them.
        """
        in_line = chain(self._waiting, *self._again)
        for sound in dict.fromkeys(window.sound for window in in_line):
            sound.check()
        self._again = [windows for windows in self._again if windows[0].sound.outcome is None]
        if self._again:
            return self._again.pop(0)
        self._waiting = [window for window in self._waiting if window.sound.outcome is None]
        most = self._engine.max_batch_windows
        if self._may_come:
            if len(self._waiting) < most:
                return []
            if self._pool.passes and not self._foreground:
                self._ask()  # what has come while they are at work may be one to go first
        line = self._foreground
        if not line:
            line, most = self._waiting, max(1, most // 2)
        # The last windows are for all lanes, so that none of them is at work long after the others.
        execution_contexts = self._pool.idle if self._may_come else self._pool.count
        fair = -(-len(line) // execution_contexts)
        chosen = line[: min(fair, most)]
        self._waiting = [window for window in self._waiting if window not in chosen]
        return chosen

    @property
    def _foreground(self) -> list[RequestWindow]:
        return [window for window in self._waiting if not window.sound.background]

    def _take(self, happened: tuple[Batch, BatchEvent] | None) -> None:
        if happened is None:
            self._none_now = False
            return
        each, news = happened
        if isinstance(news, BatchFinished):
            self._none_now = False
        match news:
            case LanguagesDetected(languages):
                for window, found in zip(each.windows, languages, strict=True):
                    window.found = found
                for sound in each.sounds:
                    sound.follow()
            case SegmentDecoded(window, part):
                if window.sound.outcome is None:
                    window.sound.tell(window, part)
            case BatchFinished(None):
                for window in each.windows:
                    if not window.is_heard and window.sound.outcome is None:
                        window.sound.tell(window, None)
            case BatchFinished(error):
                assert error is not None
                self._after(error, each)

    def _after(self, error: Exception, failed: Batch) -> None:
        """Each of its sounds by itself; the error is that of a sound which was by itself already."""
        sounds = failed.sounds
        if len(sounds) > 1:
            logger.warning("a pass of %d sounds failed, each is heard by itself: %r", len(sounds), error)
        for sound in sounds:
            rest = [window for window in failed.windows if window.sound is sound and not window.is_heard]
            if sound.outcome is None and rest:
                if len(sounds) == 1 or any(window.has_emitted for window in rest):
                    sound.outcome = error
                else:
                    self._again.append(rest)
        # In order: where all lanes but one wait for the language of an earlier window, that one must not wait too.
        self._again.sort(key=lambda windows: (windows[0].sound.number, windows[0].span.start))
