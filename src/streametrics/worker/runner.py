"""Runs jobs in a worker process: claims one, runs the pipeline on it, writes the outcome. Knows no queue library."""

import logging
import threading
import time
from collections.abc import Callable

from streametrics.audio.decoder import AudioDecoder
from streametrics.domain.job import Claim, Stage
from streametrics.errors import DatabaseUnavailable, UnsafeSettings
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.llm.base import ModelHealth
from streametrics.observability.logging import about_job
from streametrics.redis.worker_registry import INTERVAL_S as HEARTBEAT_INTERVAL_S
from streametrics.settings import Settings
from streametrics.summarization.base import Summarizer
from streametrics.transcription.base import Transcriber
from streametrics.worker.attempt import Attempt, running
from streametrics.worker.background_decoding import OpenDecoder
from streametrics.worker.summarize_stage import SummarizeStage
from streametrics.worker.transcribe_stage import TranscribeStage, open_background_decoder

logger = logging.getLogger(__name__)


class Worker:
    """Works on jobs, with one process's engine and decoder. `transcriber` is None where only summaries are written.

    decoder: for chunks, None as the transcriber. open_decoder: see `TranscribeStage`; None for its own.
    make_summarizer: the summarizer for a model, None for the settings' own; it keeps what it made.
    time_limit_error: what the task framework raises in the middle of work that takes too long; () where it raises
    nothing. clock: for tests.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: JobLifecycle,
        *,
        make_summarizer: Callable[[str | None], Summarizer],
        transcriber: Transcriber | None,
        decoder: AudioDecoder | None,
        open_decoder: OpenDecoder | None = None,
        time_limit_error: type[BaseException] | tuple[()] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._time_limit_error = time_limit_error
        #: Set when the process is asked to stop.
        self.stopping = threading.Event()
        self._summarize_stage = SummarizeStage(
            settings, jobs, make_summarizer=make_summarizer, stopping=self.stopping, clock=clock
        )
        self._transcribe_stage: TranscribeStage | None = None
        if transcriber is not None and decoder is not None:
            self._transcribe_stage = TranscribeStage(
                settings,
                jobs,
                transcriber=transcriber,
                decoder=decoder,
                open_decoder=open_decoder or open_background_decoder,
                clock=clock,
            )

    def transcribe(self, task_id: str, worker: str) -> None:
        """Transcribe the job: whole, split into parts, or one part; chunks and further parts may join the batch."""
        assert self._transcribe_stage is not None
        with about_job(task_id):
            attempts = self._claim(task_id, Stage.TRANSCRIBE, worker, most=self._transcribe_stage.max_claims)
        with running(attempts):
            self._transcribe_stage.run(attempts, lambda: self._join(attempts, worker))

    def summarize(self, task_id: str, worker: str) -> None:
        """Summarize the job."""
        with about_job(task_id):
            attempts = self._claim(task_id, Stage.SUMMARIZE, worker, most=1)
        with running(attempts):
            for attempt in filter(lambda each: each.is_open, attempts):
                with attempt.step():
                    self._summarize_stage.summarize(attempt.claim, attempt.reporter)
                    attempt.end()

    def write_incremental_notes(self, task_id: str) -> None:
        """Write notes on what is transcribed so far of a recording; nothing but time depends on it."""
        self._summarize_stage.write_incremental_notes(task_id)

    def model_server(self) -> ModelHealth:
        """Check the model server, for this process's heartbeat."""
        return self._summarize_stage.model_server(valid_s=HEARTBEAT_INTERVAL_S)

    def _claim(self, task_id: str, stage: Stage, worker: str, *, most: int) -> list[Attempt]:
        if self._is_foreign(stage):
            return []
        # Before the claim, so that nobody sees the job in work and not what is known of the model server.
        missing = not self._summarize_stage.prepare_model_server().reachable
        claims = self._jobs.claim_together(task_id, stage, worker, most=most, model_server_missing=missing)
        if not claims:
            logger.info("event=nothing_to_do stage=%s", stage)
        return [self._attempt(claim, together=len(claims)) for claim in claims]

    def _is_foreign(self, stage: Stage) -> bool:
        """Tell whether the API's jobs are none for this process, as it would not find their audio or their rows."""
        reason = self._jobs.foreign_to_api(stage)
        if reason is not None:
            logger.error("event=refused stage=%s %s", stage, reason)
        return reason is not None

    def _join(self, attempts: list[Attempt], worker: str) -> Attempt | None:
        """Begin one more attempt in this batch; None where nothing waits, or this process is about to stop."""
        if self.stopping.is_set():
            return None
        try:
            if self._is_foreign(Stage.TRANSCRIBE):
                return None
            claim = self._claim_one_more(attempts, worker)
        except DatabaseUnavailable:
            return None  # the attempts that run need not end for it
        if claim is None:
            return None
        attempts.append(self._attempt(claim, together=1 + sum(each.is_open for each in attempts)))
        attempts[-1].begin()
        return attempts[-1]

    def _claim_one_more(self, attempts: list[Attempt], worker: str) -> Claim | None:
        """Claim a chunk, or where none waits the next part of the recording that this batch began with."""
        assert self._transcribe_stage is not None
        missing = not self._summarize_stage.model_server().reachable
        if claims := self._jobs.claim_chunks(Stage.TRANSCRIBE, worker, most=1, model_server_missing=missing):
            return claims[0]
        parts = sum(each.is_open and each.claim.part_index is not None for each in attempts)
        if attempts[0].claim.part_index is None or parts >= self._transcribe_stage.max_part_claims:
            return None
        return self._jobs.claim_next_part(attempts[0].claim.task_id, worker)

    def _attempt(self, claim: Claim, *, together: int) -> Attempt:
        part = "" if claim.part_index is None else f" part={claim.part_index}"
        with about_job(claim.task_id):
            logger.info("event=claimed stage=%s attempt=%d%s together=%d", claim.stage, claim.attempt, part, together)
        return Attempt(
            self._jobs,
            claim,
            stopping=self.stopping,
            exit_when_overdue=self._transcribe_stage is not None,
            time_limit_error=self._time_limit_error,
        )


def refuse_other_service(connections: Connections, *, needs_audio: bool) -> None:
    """Raise UnsafeSettings when the API that uses this queue has another database, or keeps its audio elsewhere."""
    if (reason := connections.foreign_to_api(needs_audio=needs_audio)) is not None:
        raise UnsafeSettings(reason)
