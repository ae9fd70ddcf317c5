"""Schedules the speech windows of one or several requests into batches for an engine.

A batch takes a number of windows, and it does not matter to the model whose they are. So windows of several requests
share batches; each request is told of its own segments alone, and an error of one ends that one.
"""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import SpeechTask, Transcript
from streametrics.transcription.base import OnSegment, Outcome, TranscriptionRequest
from streametrics.transcription.batching.execution import (
    Batch,
    BatchEvent,
    BatchFinished,
    ExecutionPool,
    LanguageReconsidered,
    LanguagesDetected,
    SegmentDecoded,
)
from streametrics.transcription.batching.request import RequestState, RequestWindow
from streametrics.transcription.engine import Engine

#: While others run, an idle execution context asks for another request this often, in seconds.
POLL_INTERVAL_S = 0.2
#: What `next` gives after the last request.
_EXHAUSTED = object()

logger = logging.getLogger(__name__)


def transcribe_speech(
    engine: Engine,
    samples: Samples,
    *,
    speech_language: str | None,
    on_segment: OnSegment | None,
    task: SpeechTask = "transcribe",
) -> Transcript:
    """Transcribe all speech in `samples` (16 kHz, mono, -1…1); times stay those of `samples`.

    Without `speech_language` each window's language is detected, so a stream may change it; the transcript's
    language is the one that was spoken longest. Raises TranscriptionFailed where the engine does not know
    `speech_language`; whatever `on_segment` raises passes through.
    """
    ((_, outcome),) = transcribe_batch(engine, [TranscriptionRequest(samples, speech_language, on_segment, task=task)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def transcribe_batch(engine: Engine, requests: Iterable[TranscriptionRequest | None]) -> Iterator[tuple[int, Outcome]]:
    """Transcribe several requests; yields each one's number, in the order given, and its outcome.

    A request is asked for when there is room for it, so the first does not wait until the last is there. When a batch
    fails, each of its requests is retried in a batch of its own, once. None among the requests: see `Transcriber`.
    """
    with ExecutionPool(engine.execution_contexts) as pool:
        yield from _BatchScheduler(engine, pool, requests).outcomes()


class _BatchScheduler:
    """Forms batches. waiting: windows in no batch yet, in the order in which they came. retries: batches to come first.

    may_grow: other requests may come. source_is_idle: none was there when one was asked for last. pulled_background:
    that one was in the background, so none waits that would go before it.
    """

    def __init__(self, engine: Engine, pool: ExecutionPool, requests: Iterable[TranscriptionRequest | None]) -> None:
        self._engine, self._pool = engine, pool
        self._source, self._pulled = iter(requests), 0
        self._may_grow, self._source_is_idle = True, False
        self._pulled_background = False
        self._requests: list[RequestState] = []
        self._waiting: list[RequestWindow] = []
        self._retries: list[list[RequestWindow]] = []

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Yield outcomes as they are known. Events come first, then idle contexts, then asking for another request."""
        pool = self._pool
        while self._may_grow or self._requests:
            for batch in pool.running:
                batch.allow_decoding()
            if pool.has_events:
                self._handle(pool.next_event())
            elif pool.idle and (chosen := self._next_batch()):
                pool.submit(Batch(chosen))
            elif self._has_room:
                self._pull_request()
            elif pool.running:
                self._handle(pool.next_event(POLL_INTERVAL_S if pool.idle and self._may_grow else None))
            yield from self._finished()

    def _finished(self) -> Iterator[tuple[int, Outcome]]:
        """Remove the requests that have ended, and yield their outcomes."""
        for request in list(self._requests):
            if request.outcome is not None:
                self._requests.remove(request)
                yield request.number, request.outcome

    @property
    def _has_room(self) -> bool:
        """Tell whether to ask for another request: for an idle context, or ahead of time while all of them run."""
        is_time = self._pool.idle > 0 or self._pool.are_several
        return self._may_pull and is_time and len(self._waiting) < self._engine.max_batch_windows

    @property
    def _may_pull(self) -> bool:
        return self._may_grow and not (self._source_is_idle and self._requests)

    def _pull_request(self) -> None:
        pulled = next(self._source, _EXHAUSTED)
        if isinstance(pulled, TranscriptionRequest):
            self._pulled_background = pulled.background
            request = RequestState(self._engine, self._pulled, pulled)
            self._pulled += 1
            self._requests.append(request)
            self._waiting += request.take_added()
        else:
            self._source_is_idle = True
            self._may_grow = pulled is None and bool(self._requests)

    def _next_batch(self) -> list[RequestWindow]:
        """Choose an idle context's share of the windows that came first; [] where more should be waited for.

        Background requests come last. Their batches are half as large, so that others which come meanwhile are
        served soon, and hold no windows of others.
        """
        in_order = chain(self._waiting, *self._retries)
        for request in dict.fromkeys(window.request for window in in_order):
            request.check()
        self._retries = [windows for windows in self._retries if windows[0].request.outcome is None]
        if self._retries:
            return self._retries.pop(0)
        self._waiting = [window for window in self._waiting if window.request.outcome is None]
        most = self._engine.max_batch_windows
        if self._may_pull:
            # Parts of a recording in which nobody speaks would come one after the other, and never fill a batch.
            if len(self._waiting) < most and not (self._foreground and self._pulled_background):
                return []
            if self._pool.running and not self._foreground:
                self._pull_request()  # what has come meanwhile may be a request to go first
        candidates = self._foreground
        if not candidates:
            candidates, most = self._waiting, max(1, most // 2)
        # The last windows are shared by all contexts, so that none of them runs long after the others.
        contexts = self._pool.idle if self._may_pull else self._pool.count
        fair = -(-len(candidates) // contexts)
        chosen = candidates[: min(fair, most)]
        self._waiting = [window for window in self._waiting if window not in chosen]
        return chosen

    @property
    def _foreground(self) -> list[RequestWindow]:
        return [window for window in self._waiting if not window.request.background]

    def _handle(self, reported: tuple[Batch, BatchEvent] | None) -> None:
        if reported is None:
            self._source_is_idle = False
            return
        batch, event = reported
        if isinstance(event, BatchFinished):
            self._source_is_idle = False
        match event:
            case LanguagesDetected(languages):
                for window, detected in zip(batch.windows, languages, strict=True):
                    # A window whose language is given or known takes part for the encoding alone.
                    if window.needs_language:
                        window.detected = detected
                for request in batch.requests:
                    request.assign_languages()
            case LanguageReconsidered(window, language):
                if window.request.outcome is None:
                    window.request.reconsider(window, language)
            case SegmentDecoded(window, segment):
                if window.request.outcome is None:
                    window.request.add(window, segment)
            case BatchFinished(None):
                for window in batch.windows:
                    if window.is_open and window.request.outcome is None:
                        window.request.add(window, None)
            case BatchFinished(error):
                assert error is not None
                self._retry_separately(error, batch)
        # First, as what a window lacks keeps all of its request's later words waiting.
        self._waiting[:0] = [window for request in batch.requests for window in request.take_added()]

    def _retry_separately(self, error: Exception, failed: Batch) -> None:
        """Retry each request of a failed batch alone; one that was alone already ends with the error."""
        requests = failed.requests
        if len(requests) > 1:
            logger.warning("a batch of %d requests failed, each is retried alone: %r", len(requests), error)
        for request in requests:
            rest = [window for window in failed.windows if window.request is request and window.is_open]
            if request.outcome is None and rest:
                if len(requests) == 1:
                    request.outcome = error
                else:
                    for window in rest:
                        window.segments.clear()
                    self._retries.append(rest)
        # In order: where all contexts but one wait for the language of an earlier window, that one must not wait too.
        self._retries.sort(key=lambda windows: (windows[0].request.number, windows[0].span.start))
