"""Decodes a recording in a thread, so that the worker goes on with the chunks that come meanwhile."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Generic, Self, TypeVar

from streametrics.audio.decoder import AudioDecoder

#: Between two tries to stop what has not ended, in seconds.
STOP_INTERVAL_S = 0.1

Result = TypeVar("Result")

OpenDecoder = Callable[[], AbstractContextManager[AudioDecoder]]


class BackgroundDecoding(Generic[Result]):
    """Runs `decode` in a thread for as long as its `with` block, which stops it where it has not ended.

    decode: is given a decoder of its own, as the worker's is for chunks; it may raise.
    """

    def __init__(self, decode: Callable[[AudioDecoder], Result], open_decoder: OpenDecoder) -> None:
        self._decode, self._open_decoder = decode, open_decoder
        self._decoder: AudioDecoder | None = None
        self._result: Result
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
        while self._thread.is_alive():
            # Again and again: it may just be about to start its child, or another one in place of a killed one.
            if self._decoder is not None:
                self._decoder.interrupt()
            self._thread.join(STOP_INTERVAL_S)

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, at most so long; tells whether it has ended."""
        return self._ended.wait(seconds)

    def result(self) -> Result:
        """Return what `decode` returned, or raise what it raised; once it has ended only."""
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            with self._open_decoder() as self._decoder:
                if not self._stopped.is_set():
                    self._result = self._decode(self._decoder)
        except BaseException as error:  # noqa: BLE001 - raised again by `result`, in the thread that asks
            self._error = error
        finally:
            self._ended.set()
