"""Stops a worker on a signal, outside of signal handlers.

Celery stops a worker inside its handlers, which run between any two steps of the main thread. A SIGQUIT that came while
SIGTERM was being handled waited for ever for a lock that the interrupted handler held (Celery 5.7.0: `Signal.lock` is
not reentrant), as could any other lock of the main thread. So the handlers here do nothing: the interpreter writes each
signal's number to a pipe, even while the main thread is in C, and a thread reads it.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from billiard import active_children
from celery import bootsteps

from streametrics.redis.client import RedisClient
from streametrics.redis.worker_registry import WorkerRegistry, withdraw_dead_workers
from streametrics.settings import Settings
from streametrics.worker import process
from streametrics.worker.signals import release_claims

#: How long a cold stop may take before the process ends all the same, in seconds. What is not released by then is freed
#: when its lease runs out.
COLD_STOP_S = 10.0
#: How long it waits for the main thread to take no more messages, in seconds: it looks once a second. Without the wait
#: this very worker would claim again what it releases.
LOOP_END_TIMEOUT_S = 1.5
#: How long a killed child takes to be gone at most, in seconds.
KILL_TIMEOUT_S = 1.0
#: Once nothing is held: how long the main thread has to end the process in order, in seconds.
ORDERLY_EXIT_S = 1.0
#: The exit status of a cold stop, as Celery's own.
COLD_EXIT = 1

logger = logging.getLogger(__name__)


class StopThread(bootsteps.StartStopStep):  # type: ignore[misc]
    """Reads signals in a thread of the worker's main process. Not for Windows, which has neither SIGQUIT nor the pipe.

    The first SIGTERM or SIGINT is Celery's warm stop: work in hand ends. SIGQUIT or a second SIGINT is a cold stop:
    children are killed, what they held is released, and the process ends, wherever its main thread stands.
    """

    def start(self, worker: Any) -> None:  # noqa: ANN401 - Celery's own worker object
        """Replace Celery's handlers; called by Celery, in the main thread."""
        self._worker = worker
        self._loop_has_ended = threading.Event()
        self._celerys_handlers: dict[int, Any] = {
            number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)
        }
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        threading.Thread(target=self._read, args=(reader,), name="stop", daemon=True).start()
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, _do_nothing)

    def close(self, _: object) -> None:
        """Note that the main thread takes no more messages; called by Celery."""
        self._loop_has_ended.set()

    def _read(self, reader: int) -> None:
        self._is_stopping = False
        while numbers := os.read(reader, 1):
            try:
                self._obey(numbers[0])
            except Exception:  # without this thread, no signal but SIGKILL would end the process
                logger.exception("a signal could not be obeyed")

    def _obey(self, number: int) -> None:
        if number == signal.SIGQUIT or (number == signal.SIGINT and self._is_stopping):
            if not self._is_stopping:
                self._stop_warm(signal.SIGTERM)
            self._stop_cold()
        elif number in self._celerys_handlers and not self._is_stopping:
            self._is_stopping = True
            self._stop_warm(number)

    def _stop_warm(self, number: int) -> None:
        # In a thread of its own: a cold stop must not wait for it.
        handler = self._celerys_handlers[number]
        threading.Thread(target=handler, args=(number, None), name="warm-stop", daemon=True).start()

    def _stop_cold(self) -> None:
        # Not a daemon: should the main thread come to its end meanwhile, the interpreter waits for this one.
        thread = threading.Thread(target=self._end_work, name="cold-stop")
        thread.start()
        thread.join(COLD_STOP_S)
        time.sleep(ORDERLY_EXIT_S)
        os._exit(COLD_EXIT)

    def _end_work(self) -> None:
        """Kill the children and release what they held, without counting a try."""
        logger.warning("event=cold_stop")
        with contextlib.suppress(AttributeError):  # the main thread may be putting the pool away just now
            self._worker.pool.close()  # it would replace the children that are killed
        self._kill_children()
        self._loop_has_ended.wait(LOOP_END_TIMEOUT_S)
        self._kill_children()  # one may have been on its way
        release_claims(self._worker.hostname)
        process.stop()
        withdraw_dead_workers(WorkerRegistry(RedisClient(Settings().effective_redis_url)))

    def _kill_children(self) -> None:
        children = active_children()
        for child in children:
            # Celery's own way, so that it reports no lost worker.
            self._worker.pool.terminate_job(child.pid, signal.SIGKILL)
        for child in children:
            child.join(KILL_TIMEOUT_S)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Stand in for a handler: without one, a signal's number is not written to the pipe."""
