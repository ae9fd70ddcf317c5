"""What Celery says of a worker's life, and what we do then.

A spawned child does not import the worker's entry, only the modules that the application includes: this
file is one of them.
"""

import contextlib
import logging
import os
import threading
from typing import Any

from celery import signals

from streametrics.errors import StreametricsError
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.maintenance import Maintenance
from streametrics.observability import logging as logs
from streametrics.preflight import checks
from streametrics.settings import Settings
from streametrics.worker import process
from streametrics.worker.runner import refuse_other_database

logger = logging.getLogger(__name__)

#: This worker's, once it may start; prefork's children have none, as their parent has.
_maintenance: list[Maintenance] = []
_releasing = threading.Lock()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def configure_logs(**_: object) -> None:
    """One format for all processes; Celery's own is left aside."""
    logs.configure(Settings().log_level, "worker")


@signals.celeryd_after_setup.connect  # type: ignore[untyped-decorator]
def silence_the_pool(**_: object) -> None:
    """A spawned child would log in a format of its own before it has ours; this variable is how it is told to."""
    os.environ.pop("_MP_FORK_LOGLEVEL_", None)


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def check(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery's own worker object
    """Refuse to start with unsafe settings, or on another database than the API's."""
    settings = Settings()
    try:
        checks.require_safe(settings, serves=False)
        connections = Connections(settings)
        refuse_other_database(connections)
    except StreametricsError as error:
        raise SystemExit(f"This worker does not start: {error}") from error
    maintenance = Maintenance(connections, in_worker=True)
    maintenance.start()
    _maintenance.append(maintenance)
    if not sender.pool_cls.__module__.endswith(".prefork"):
        # Threads and solo write summaries in this very process.
        process.summarizing_worker()


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def load_model(**_: object) -> None:
    """Prefork's children and the solo process: the model is warm before the first job."""
    logs.configure(Settings().log_level, "worker")
    # Celery swallows what a signal's receiver raises; the presence says why, and the next job tries again.
    with contextlib.suppress(StreametricsError):
        process.transcribing_worker()


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def withdraw(**_: object) -> None:
    """Prefork's child ends: nobody should count on it from here on."""
    process.stop()


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def stop(sender: str, how: str, **_: object) -> None:
    """Work in this process stops at its next segment; a cold stop ends other processes' work at once."""
    process.stop()
    if how == "Cold":
        # Celery sends `worker_shutdown` after a warm stop only.
        release_claims(sender)


@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def end(sender: Any, **_: object) -> None:  # noqa: ANN401
    """After a warm stop nothing should be held any more; what is, goes back."""
    while _maintenance:
        _maintenance.pop().stop()
    release_claims(sender.hostname)


def release_claims(worker: str) -> None:
    """What this worker holds goes back to the queue without counting as a try.

    Two threads may ask for it when a warm stop becomes a cold one; the second waits for the first, whose messages would
    not be sent if the process ended in between.
    """
    with _releasing:
        _release_claims(worker)


def _release_claims(worker: str) -> None:
    connections = Connections(Settings())
    try:
        if count := JobLifecycle(connections).release_all(worker):
            logger.info("event=given_back count=%d", count)
    except StreametricsError as error:
        logger.warning("not given back, the leases run out by themselves: %s", error)
    finally:
        connections.close()
