"""Builds the commands of the service's processes: what `up` supervises, and what `worker` and the .bat files run."""

import signal
import sys
from dataclasses import dataclass
from signal import SIGTERM
from typing import Literal

from streametrics.settings import Settings
from streametrics.supervisor.child_process import ProcessSpec, StopSequence
from streametrics.supervisor.embedded_valkey import EmbeddedQueue

WorkerKind = Literal["transcribe", "summarise", "all"]

#: Windows has none, and no supervisor.
SIGQUIT = getattr(signal, "SIGQUIT", SIGTERM)

#: Celery finishes its task on SIGTERM and drops it on SIGQUIT; a dropped job goes back to the queue.
WORKER_STOP_SEQUENCE: StopSequence = ((SIGTERM, 8.0), (SIGQUIT, 3.0))
API_STOP_SEQUENCE: StopSequence = ((SIGTERM, 6.0),)
#: On SIGTERM, Valkey writes the rest of its append-only file.
QUEUE_STOP_SEQUENCE: StopSequence = ((SIGTERM, 10.0),)

#: The summarizing worker's threads. They wait for the model server, whose calls have their own limit
#: (SUMMARIZER_CONCURRENCY): with few, some long recordings would leave none for a live chunk, whose summary is due.
SUMMARIZE_THREADS = 16
#: Celery's five lines about root are about messages that run code; ours are JSON, and in a container all are root.
WORKER_ENVIRONMENT = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}


@dataclass(frozen=True, slots=True)
class _CeleryOptions:
    queues: str
    pool: tuple[str, ...]


_WORKERS: dict[WorkerKind, _CeleryOptions] = {
    # Prefork: its child holds the model, is killed at the hard time limit, and is replaced.
    "transcribe": _CeleryOptions("live,long", ("--pool=prefork", "--concurrency=1")),
    "summarise": _CeleryOptions("summarise", ("--pool=threads", f"--concurrency={SUMMARIZE_THREADS}")),
    "all": _CeleryOptions("live,long,summarise", ("--pool=solo",)),
}


def worker_command(kind: WorkerKind, settings: Settings) -> tuple[str, ...]:
    """Build Celery's command line; `all` is the one process that also runs on Windows."""
    worker = _WORKERS[kind]
    return (
        sys.executable,
        *("-m", "celery", "--app", "streametrics.celery_app", "--quiet", "worker"),
        *("--hostname", f"{kind}@%h", "--queues", worker.queues, *worker.pool),
        # Gossip and mingle are workers talking to each other; after a reconnect they have hung.
        *("--task-events", "--without-gossip", "--without-mingle", "--loglevel", settings.log_level),
    )


def process_specs(settings: Settings, *, transcribe: bool, summarize: bool, api: bool) -> list[ProcessSpec]:
    """List the processes that need the queue, in the order of their start."""
    found = []
    if transcribe:
        command = worker_command("transcribe", settings)
        found.append(ProcessSpec("transcribe", command, WORKER_STOP_SEQUENCE, WORKER_ENVIRONMENT))
    if summarize:
        command = worker_command("summarise", settings)
        found.append(ProcessSpec("summarise", command, WORKER_STOP_SEQUENCE, WORKER_ENVIRONMENT))
    if api:
        found.append(ProcessSpec("api", (sys.executable, "-m", "streametrics", "api"), API_STOP_SEQUENCE))
    return found


def queue_spec(queue: EmbeddedQueue) -> ProcessSpec:
    return ProcessSpec("queue", tuple(queue.prepare()), QUEUE_STOP_SEQUENCE)
