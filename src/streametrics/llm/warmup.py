"""Loads a model in a thread of its own, apart from the calls that wait for it.

A client that hangs up makes Ollama throw the half-loaded model away. A live chunk waits for some seconds only, so were
the load its own, a model that needs longer would never be loaded. So a thread loads, and callers come and go.
"""

import concurrent.futures
import logging
import threading
from collections.abc import Callable

from streametrics.errors import SummarizerTimeout
from streametrics.llm.http import POLL_INTERVAL_S

logger = logging.getLogger(__name__)


class LoadTimeout(SummarizerTimeout):
    """The model server could not load the model in time: see whether the machine has memory enough for it."""


class ModelLoader:
    """Runs at most one load at a time. load: returns once the model is in memory, or raises a SummarizerError."""

    def __init__(self, load: Callable[[], None]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._running: concurrent.futures.Future[None] | None = None

    def wait(self, on_wait: Callable[[], None]) -> None:
        """Wait for the running load, or start one. Raises what the load raises; `on_wait` may raise to stop waiting."""
        running = self._started()
        while not concurrent.futures.wait([running], timeout=POLL_INTERVAL_S).done:
            on_wait()
        running.result()

    def start(self) -> None:
        """Start a load unless one is running, and return at once."""
        self._started()

    @property
    def is_running(self) -> bool:
        """Tell whether a load is running."""
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
            # Where nobody waits, this line is all that tells of it.
            logger.warning("the model was not loaded: %s", error or type(error).__name__)
            self._forget()
            running.set_exception(error)
        else:
            self._forget()
            running.set_result(None)

    def _forget(self) -> None:
        with self._lock:
            self._running = None
