"""Loading a model apart from the calls that wait for it.

A client that hangs up makes Ollama throw the half-loaded model away. A live chunk waits for some seconds only, so were
the load its own, a model that needs longer would never be loaded. So a thread loads, and callers come and go.
"""

import concurrent.futures
import threading
from collections.abc import Callable

from streametrics.errors import SummarizerTimeout
from streametrics.llm.http import BEAT_S


class LoadTimeout(SummarizerTimeout):
    """The model server could not load the model in time: see whether the machine has memory enough for it."""


class Loading:
    """At most one load at a time. load: returns when the model is in memory, or raises a SummarizerError."""

    def __init__(self, load: Callable[[], None]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._running: concurrent.futures.Future[None] | None = None

    def wait(self, beat: Callable[[], None]) -> None:
        """Until a load that runs, or a new one, is done. Raises what it raises; `beat` may raise to stop waiting."""
        running = self._started()
        while not concurrent.futures.wait([running], timeout=BEAT_S).done:
            beat()
        running.result()

    def begin(self) -> None:
        """Start a load unless one runs; nobody waits for it."""
        self._started()

    @property
    def runs(self) -> bool:
        """Whether a load runs now."""
        with self._lock:
            return self._running is not None

    def _started(self) -> "concurrent.futures.Future[None]":
        with self._lock:
            if self._running is None:
                self._running = concurrent.futures.Future()
                threading.Thread(target=self._run, args=(self._running,), name="model-server-load", daemon=True).start()
            return self._running

    def _run(self, running: "concurrent.futures.Future[None]") -> None:
        try:
            self._load()
        except BaseException as error:  # noqa: BLE001 - those who wait raise it; lost here, they would wait for ever
            self._forget()
            running.set_exception(error)
        else:
            self._forget()
            running.set_result(None)

    def _forget(self) -> None:
        with self._lock:
            self._running = None
