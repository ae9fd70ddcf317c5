"""Handles Celery's signals about a worker's start and end.

A spawned child does not import the worker's entry, only the modules that the application includes: this
file is one of them.
"""

import contextlib
import functools
import logging
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from celery import signals
from celery.worker import control

from streametrics.domain.job import QueueName
from streametrics.errors import StreametricsError
from streametrics.jobs.chapters import ChapterThread
from streametrics.jobs.connections import Connections
from streametrics.jobs.joining import JoiningThread
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.maintenance import Maintenance
from streametrics.observability import logging as logs
from streametrics.preflight import checks, private_files
from streametrics.redis.worker_registry import BackgroundReport
from streametrics.settings import Settings
from streametrics.worker import process
from streametrics.worker.chapter_writing import ChapterWritingThread, asks_a_model
from streametrics.worker.runner import refuse_other_service

logger = logging.getLogger(__name__)

#: This worker's, once it may start; prefork's children have none, as their parent has.
_Part = Maintenance | JoiningThread | ChapterThread | ChapterWritingThread | BackgroundReport
_maintenance: list[_Part] = []
#: The queues whose jobs begin with an upload.
_TRANSCRIBES = {QueueName.LIVE, QueueName.LONG}
_releasing = threading.Lock()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def configure_logs(**_: object) -> None:
    """Log in the format of all our processes instead of Celery's."""
    logs.configure(Settings().log_level, "worker")


@signals.celeryd_after_setup.connect  # type: ignore[untyped-decorator]
def silence_the_pool(**_: object) -> None:
    """Unset the variable by which a spawned child is told to log in Celery's format before it has ours."""
    os.environ.pop("_MP_FORK_LOGLEVEL_", None)


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def check(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery's own worker object
    """Refuse to start with unsafe settings, or on another database than the API's."""
    settings = Settings()
    try:
        checks.require_safe(settings, serves=False)
        private_files.mend(settings.data_dir, settings.effective_database_url)
        checks.require_database(settings)
        connections = Connections(settings)
        refuse_other_service(connections, needs_audio=bool(_TRANSCRIBES & set(sender.app.amqp.queues.consume_from)))
    except StreametricsError as error:
        raise SystemExit(f"This worker does not start: {error}") from error
    _refuse_commands(settings)
    parts: list[_Part] = [
        Maintenance(connections, in_worker=True),
        JoiningThread(connections, in_worker=True),
    ]
    if QueueName.SUMMARIZE in sender.app.amqp.queues.consume_from:
        # Beside summaries, which wait for a model most of the time, and away from the API, which answers.
        parts.append(ChapterThread(connections))
        if asks_a_model(settings):
            parts.append(ChapterWritingThread(connections, settings))
    for part in parts:
        part.start()
        _maintenance.append(part)
    if sender.pool_cls.__module__.endswith(".prefork"):
        # Its children have the heartbeats.
        report = BackgroundReport(connections.registry, "parent")
        report.start()
        _maintenance.append(report)
    else:
        # Threads and solo write summaries in this very process.
        process.summarizing_worker()


def _refuse_commands(settings: Settings) -> None:
    """Answer questions only by remote control (Flower's pages), where everybody who reaches the queue may command."""
    url = urlsplit(settings.effective_redis_url)
    if url.password or not url.hostname:  # a socket's folder keeps others out
        return
    for name, command in list(control.Panel.meta.items()):
        if command.type == "control" and name != "enable_events":
            control.Panel.data[name] = functools.partial(_refuse, name)


def _refuse(name: str, _state: object, **_: object) -> dict[str, str]:
    """Refuse a command. Raising would have Celery subscribe anew, and miss what is asked meanwhile."""
    logger.warning("event=command_refused command=%s", name)
    return {"error": "refused, as the queue has no password"}


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def load_model(**_: object) -> None:
    """Load the model before the first job, in prefork's children and in the solo process."""
    logs.configure(Settings().log_level, "worker")
    # Celery swallows what a signal's receiver raises; the heartbeat says why, and the next job tries again.
    with contextlib.suppress(StreametricsError):
        process.transcribing_worker()


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def withdraw(**_: object) -> None:
    """Withdraw the heartbeats of a prefork child that ends."""
    process.stop()


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def stop(sender: str, how: str, **_: object) -> None:
    """Stop this process's work at its next segment; a cold stop also releases what other processes hold."""
    process.stop()
    if how == "Cold":
        # Celery sends `worker_shutdown` after a warm stop only.
        release_claims(sender)


@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def end(sender: Any, **_: object) -> None:  # noqa: ANN401
    """Release what is still held after a warm stop, which should be nothing."""
    while _maintenance:
        _maintenance.pop().stop()
    release_claims(sender.hostname)


def release_claims(worker: str) -> None:
    """Release what this worker holds, without counting a try.

    Two threads may ask for it when a warm stop becomes a cold one; the second waits for the first, whose messages would
    not be sent if the process ended in between.
    """
    with _releasing:
        _release_claims(worker)


def _release_claims(worker: str) -> None:
    connections = Connections(Settings())
    try:
        if count := JobLifecycle(connections).release_all(worker):
            logger.info("event=released count=%d", count)
    except StreametricsError as error:
        logger.warning("claims not released, their leases run out by themselves: %s", error)
    finally:
        connections.close()
