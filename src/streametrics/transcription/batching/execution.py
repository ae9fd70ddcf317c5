"""Passes of a model, each over some windows of speech. An engine's lanes hear one each, all at the same time.

News of the passes is read in one thread, so that nothing else of a sound on its way has to be thread-safe.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from streametrics.domain.transcript import Segment
from streametrics.transcription.batching.request import OneSound, Window
from streametrics.transcription.engine import Lane


@dataclass(eq=False, slots=True)
class Pass:
    """Windows that are heard together. is_stopped: nobody reads what comes of it any more."""

    windows: Sequence[Window]
    is_stopped: bool = False
    #: Set when each window has its language. It may depend on an earlier window that is in another pass.
    may_decode: threading.Event = field(default_factory=threading.Event)

    @property
    def sounds(self) -> list[OneSound]:
        """Whose windows these are, each once."""
        return list(dict.fromkeys(window.sound for window in self.windows))

    @property
    def is_wanted(self) -> bool:
        return not self.is_stopped and any(window.sound.outcome is None for window in self.windows)

    def let_decode(self) -> None:
        """Where each window has its language, or nobody wants it."""
        if all(window.language is not None or window.sound.outcome is not None for window in self.windows):
            self.may_decode.set()


@dataclass(frozen=True, slots=True)
class Found:
    """The language of each window, and how sure that is."""

    languages: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Said:
    """Something was said in a window; None is its end."""

    window: Window
    part: Segment | None


@dataclass(frozen=True, slots=True)
class Over:
    """The pass has ended, all its windows heard unless there is an error."""

    error: Exception | None


News = Found | Said | Over


def _hear(lane: Lane, each: Pass) -> Iterator[News]:
    heard = [window.heard for window in each.windows]
    try:
        if any(window.language is None for window in each.windows):
            # All of them, the known ones too: the engine encodes the pass once, for this and for its words.
            yield Found(lane.detect_languages(heard))
        each.may_decode.wait()
        if each.is_wanted:
            for number, part in lane.decode(heard, [window.language or "en" for window in each.windows]):
                yield Said(each.windows[number], part)
                if not each.is_wanted:
                    break
    except Exception as error:  # noqa: BLE001 - one sound's trouble, such as no memory, must not end the others
        yield Over(error)
    else:
        yield Over(None)


class Lanes:
    """The lanes of an engine at work. Leaving the block stops what runs, at its next news, and waits for that.

    One lane alone works in the thread that asks for its news, and only then.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.count = len(lanes)
        self.passes: list[Pass] = []
        self._idle = list(lanes)
        self._news: SimpleQueue[tuple[Lane, Pass, News]] = SimpleQueue()
        self._alone: Iterator[News] = iter(())
        self._threads = ThreadPoolExecutor(self.count, "lane") if self.are_several else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in self.passes:
            each.is_stopped = True
            each.may_decode.set()
        if self._threads is not None:
            self._threads.shutdown()

    @property
    def are_several(self) -> bool:
        """They work while this thread does something else."""
        return self.count > 1

    @property
    def idle(self) -> int:
        """How many have nothing to do."""
        return len(self._idle)

    @property
    def has_news(self) -> bool:
        """Whether `news` would not have to wait."""
        return not self._news.empty()

    def begin(self, each: Pass) -> None:
        """Let an idle lane hear it."""
        lane = self._idle.pop()
        self.passes.append(each)
        each.let_decode()
        if self._threads is None:
            self._lane, self._alone = lane, _hear(lane, each)
        else:
            self._threads.submit(self._run, lane, each)

    def _run(self, lane: Lane, each: Pass) -> None:
        for news in _hear(lane, each):
            self._news.put((lane, each, news))

    def news(self, within_s: float | None = None) -> tuple[Pass, News] | None:
        """What happened next, in any of the passes; None where that is nothing, for so long."""
        if self._threads is None:
            lane, each, news = self._lane, self.passes[0], next(self._alone)
        else:
            try:
                lane, each, news = self._news.get(timeout=within_s)
            except Empty:
                return None
        if isinstance(news, Over):
            self.passes.remove(each)
            self._idle.append(lane)
        return each, news
