"""Creates a process's workers when it starts, so that the model is warm before a job.

A process that transcribes can also summarize (`--pool=solo` with all queues); one that only summarizes
never loads Whisper.
"""

import functools
import logging
import threading
from collections.abc import Callable

from billiard.exceptions import SoftTimeLimitExceeded

from streametrics.audio.decoder import CHUNK_LIMIT, AudioDecoder
from streametrics.domain.job import Stage
from streametrics.errors import StreametricsError
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.redis.worker_registry import WorkerHeartbeat
from streametrics.settings import Settings
from streametrics.summarization import factory as summarizer_factory
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import warm
from streametrics.worker import malloc_trim
from streametrics.worker.runner import Worker, refuse_other_service

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_workers: dict[Stage, Worker] = {}
_heartbeats: dict[Stage, WorkerHeartbeat] = {}


def transcribing_worker() -> Worker:
    """Get this process's worker with a warm model. Raises what kept it from being created."""
    return _worker(Stage.TRANSCRIBE)


def summarizing_worker() -> Worker:
    """Get this process's worker for summaries."""
    return _worker(Stage.SUMMARIZE)


def _worker(stage: Stage) -> Worker:
    with _lock:
        if stage not in _workers:
            _workers[stage] = _create(stage)
        return _workers[stage]


def _create(stage: Stage) -> Worker:
    settings = Settings()
    connections = Connections(settings)
    if (failed := _heartbeats.pop(stage, None)) is not None:
        failed.stop()  # two threads would contradict each other
    heartbeat = _heartbeats[stage] = WorkerHeartbeat(connections.registry, stage)
    heartbeat.start()
    try:
        worker, facts = _load(stage, settings, connections)
    except StreametricsError as error:
        logger.error("this worker cannot work: %s", error)
        heartbeat.failed(str(error))
        raise
    heartbeat.ready(facts)
    return worker


def _load(stage: Stage, settings: Settings, connections: Connections) -> tuple[Worker, Callable[[], dict[str, str]]]:
    refuse_other_service(connections, needs_audio=stage is Stage.TRANSCRIBE)
    jobs = JobLifecycle(connections)
    make_summarizer = functools.lru_cache(maxsize=4)(
        lambda model: summarizer_factory.create(settings.with_model(model))
    )
    if stage is Stage.SUMMARIZE:
        worker = Worker(settings, jobs, make_summarizer=make_summarizer, transcriber=None, decoder=None)
        make_summarizer(None).warm_up()
        source = make_summarizer(None).source

        def model_server_facts() -> dict[str, str]:
            health = worker.model_server()
            return {"summarizer": source, "model_server": health.condition, "model_server_detail": health.detail}

        return worker, model_server_facts
    decoder = AudioDecoder(CHUNK_LIMIT)
    decoder.start()
    transcriber = transcriber_factory.create(settings)
    warm(transcriber)
    malloc_trim.trim_heap()
    worker = Worker(
        settings,
        jobs,
        make_summarizer=make_summarizer,
        transcriber=transcriber,
        decoder=decoder,
        time_limit_error=SoftTimeLimitExceeded,
    )
    facts = {
        "engine": transcriber.engine,
        "model": transcriber.model,
        "precision": transcriber.precision,
    }
    logger.info(
        "event=model_warm engine=%s model=%s precision=%s",
        facts["engine"],
        facts["model"],
        facts["precision"],
    )
    return worker, lambda: facts


def stop() -> None:
    """Ask the work in this process to stop at the next segment, and withdraw its heartbeats."""
    for worker in _workers.values():
        worker.stopping.set()
    for heartbeat in _heartbeats.values():
        heartbeat.stop()
