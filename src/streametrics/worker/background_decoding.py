"""Decodes a recording in a thread, so that the worker goes on with the chunks that come meanwhile."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Generic, Self, TypeVar

from streametrics.audio.decoder import AudioDecoder
from streametrics.pipeline.reporter import JobReporter

#: Between two tries to stop what has not ended, in seconds.
STOP_INTERVAL_S = 0.1
#: While chunks are at work, decoding goes on for a short time after each longer pause, in seconds: it takes little of
#: the processor from them, and comes to its end where chunks never stop coming.
PAUSE_S, RUN_S = 0.8, 0.2

Result = TypeVar("Result")

OpenDecoder = Callable[[], AbstractContextManager[AudioDecoder]]


class BackgroundDecoding(Generic[Result]):
    """Runs `decode` in a thread for as long as its `with` block, which stops it where it has not ended.

    decode: is given a decoder of its own, as the worker's is for chunks; it calls `give_way` between blocks, and may
    raise. discard: is given what it returned where nobody takes that.
    """

    def __init__(
        self,
        decode: Callable[[AudioDecoder], Result],
        open_decoder: OpenDecoder,
        *,
        discard: Callable[[Result], None] = lambda _: None,
    ) -> None:
        self._decode, self._open_decoder, self._discard = decode, open_decoder, discard
        self._nobody_waits = threading.Event()
        self._nobody_waits.set()
        self._runs_until = 0.0
        self._decoder: AudioDecoder | None = None
        self._result: list[Result] = []
        self._error: BaseException | None = None
        self._stopped, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop decoding, and wait for its end; harmless after it."""
        self._stopped.set()
        self.yield_to_others(False)
        while self._thread.is_alive():
            # Again and again: it may just be about to start its child, or another one in place of a killed one.
            if self._decoder is not None:
                self._decoder.interrupt()
            self._thread.join(STOP_INTERVAL_S)
        while self._result:  # it came to its end just before it was stopped
            self._discard(self._result.pop())

    def yield_to_others(self, others_wait: bool) -> None:
        """Say whether somebody waits for the processor."""
        if others_wait:
            self._nobody_waits.clear()
        else:
            self._nobody_waits.set()

    def give_way(self) -> None:
        """Pause while somebody waits; called in the thread of `decode`. Its child waits then, too: nobody reads it."""
        if not self._nobody_waits.is_set() and time.monotonic() >= self._runs_until:
            self._nobody_waits.wait(PAUSE_S)
            self._runs_until = time.monotonic() + RUN_S

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, at most so long; tells whether it has ended."""
        return self._ended.wait(seconds)

    def result(self) -> Result:
        """Return what `decode` returned, once, or raise what it raised; after it has ended only."""
        if self._error is not None:
            raise self._error
        return self._result.pop()

    def _run(self) -> None:
        try:
            with self._open_decoder() as self._decoder:
                if not self._stopped.is_set():
                    self._result.append(self._decode(self._decoder))
        except BaseException as error:  # noqa: BLE001 - raised again by `result`, in the thread that asks
            self._error = error
        finally:
            self._ended.set()


class YieldingReporter:
    """A reporter whose `check`, which comes once a block, lets others go first."""

    def __init__(self, reporter: JobReporter, give_way: Callable[[], None]) -> None:
        self._reporter, self._give_way = reporter, give_way
        self.transcribed, self.written = reporter.transcribed, reporter.written

    def check(self) -> None:
        self._reporter.check()
        self._give_way()
