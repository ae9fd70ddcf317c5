"""Runs batches of speech windows on an engine's execution contexts, one batch on each at a time.

Events of all batches are read in one thread, so that the state of a request need not be thread-safe.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from streametrics.domain.transcript import Segment
from streametrics.transcription.batching.request import RequestState, RequestWindow
from streametrics.transcription.engine import ExecutionContext
from streametrics.transcription.language_detection import (
    WindowLanguage,
    detect_languages,
    reconsidered,
)


@dataclass(eq=False, slots=True)
class Batch:
    """Windows that are decoded together. is_abandoned: nobody reads its events any more."""

    windows: Sequence[RequestWindow]
    is_abandoned: bool = False
    #: Set once each window has its language, which may depend on an earlier window in another batch.
    languages_known: threading.Event = field(default_factory=threading.Event)

    @property
    def requests(self) -> list[RequestState]:
        """The requests that these windows belong to, each once."""
        return list(dict.fromkeys(window.request for window in self.windows))

    @property
    def is_wanted(self) -> bool:
        return not self.is_abandoned and any(window.request.outcome is None for window in self.windows)

    def allow_decoding(self) -> None:
        """Allow decoding once each window has its language, is split, or belongs to a request that has ended."""
        if all(not window.needs_language or window.request.outcome is not None for window in self.windows):
            self.languages_known.set()


@dataclass(frozen=True, slots=True)
class LanguagesDetected:
    """The languages of a batch's windows."""

    languages: list[WindowLanguage]


@dataclass(frozen=True, slots=True)
class LanguageReconsidered:
    """What a window was decoded to is doubtful, so the languages of its stretches were detected."""

    window: RequestWindow
    language: WindowLanguage


@dataclass(frozen=True, slots=True)
class SegmentDecoded:
    """A segment of one window was decoded; None marks the window's end."""

    window: RequestWindow
    segment: Segment | None


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """A batch has ended; without an error, all its windows are decoded."""

    error: Exception | None


BatchEvent = LanguagesDetected | LanguageReconsidered | SegmentDecoded | BatchFinished


def _execute(context: ExecutionContext, batch: Batch) -> Iterator[BatchEvent]:
    speech = [window.speech for window in batch.windows]
    try:
        is_asked = [window.language is None for window in batch.windows]
        if any(is_asked):
            # Of all windows, the known ones too: so the engine encodes the batch once, for this and for decoding.
            yield LanguagesDetected(detect_languages(context, speech, is_asked))
        batch.languages_known.wait()
        if batch.is_wanted:
            yield from _decode(context, batch)
    except Exception as error:  # noqa: BLE001 - one request's trouble, such as no memory, must not end the others
        yield BatchFinished(error)
    else:
        yield BatchFinished(None)


def _decode(context: ExecutionContext, batch: Batch) -> Iterator[BatchEvent]:
    windows = [window for window in batch.windows if not window.is_split]
    languages = [window.language or "en" for window in windows]
    segments: list[list[Segment]] = [[] for _ in windows]
    ended: set[int] = set()
    for number, segment in context.decode([window.to_decode for window in windows], languages) if windows else ():
        if segment is not None:
            segments[number].append(segment)
        else:
            ended.add(number)
            yield from _reconsidered(context, windows[number], segments[number])
        yield SegmentDecoded(windows[number], segment)
        if not batch.is_wanted:
            return
    for number in set(range(len(windows))) - ended:
        yield from _reconsidered(context, windows[number], segments[number])


def _reconsidered(
    context: ExecutionContext, window: RequestWindow, segments: Sequence[Segment]
) -> Iterator[LanguageReconsidered]:
    if window.detected is not None and not window.detected.is_probed:
        used = window.language or window.detected.code
        language = reconsidered(context, window.speech, window.detected, segments, used)
        if language.changes:
            yield LanguageReconsidered(window, language)


class ExecutionPool:
    """Runs batches on an engine's execution contexts, a thread for each.

    Leaving the block abandons what runs and waits until each batch notices, at its next segment. A single context has
    no thread: it computes inside `next_event`.
    """

    def __init__(self, execution_contexts: Sequence[ExecutionContext]) -> None:
        self.count = len(execution_contexts)
        self.running: list[Batch] = []
        self._idle = list(execution_contexts)
        self._events: SimpleQueue[tuple[ExecutionContext, Batch, BatchEvent]] = SimpleQueue()
        self._inline: Iterator[BatchEvent] = iter(())
        self._threads = ThreadPoolExecutor(self.count, "transcription") if self.are_several else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for batch in self.running:
            batch.is_abandoned = True
            batch.languages_known.set()
        if self._threads is not None:
            self._threads.shutdown()

    @property
    def are_several(self) -> bool:
        """Tell whether batches run while this thread does something else."""
        return self.count > 1

    @property
    def idle(self) -> int:
        """How many contexts are idle."""
        return len(self._idle)

    @property
    def has_events(self) -> bool:
        """Tell whether `next_event` would return at once."""
        return not self._events.empty()

    def submit(self, batch: Batch) -> None:
        """Start a batch on an idle context."""
        context = self._idle.pop()
        self.running.append(batch)
        batch.allow_decoding()
        if self._threads is None:
            self._context, self._inline = context, _execute(context, batch)
        else:
            self._threads.submit(self._run, context, batch)

    def _run(self, context: ExecutionContext, batch: Batch) -> None:
        try:
            for event in _execute(context, batch):
                self._events.put((context, batch, event))
        except BaseException as error:  # noqa: BLE001 - lost here, whoever reads the events would wait for ever
            failure = RuntimeError(f"a batch was ended by {type(error).__name__}")
            failure.__cause__ = error
            self._events.put((context, batch, BatchFinished(failure)))

    def next_event(self, within_s: float | None = None) -> tuple[Batch, BatchEvent] | None:
        """Return the next event of any batch, or None where none comes within `within_s` seconds."""
        if self._threads is None:
            context, batch, event = self._context, self.running[0], next(self._inline)
        else:
            try:
                context, batch, event = self._events.get(timeout=within_s)
            except Empty:
                return None
        if isinstance(event, BatchFinished):
            self.running.remove(batch)
            self._idle.append(context)
        return batch, event
