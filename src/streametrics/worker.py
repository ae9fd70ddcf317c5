"""A worker process: claims a job, runs the pipeline on it, writes the outcome. Knows no queue library."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from streametrics import pipeline
from streametrics.audio.decoder import Decoder
from streametrics.chat_model import ModelHealth
from streametrics.errors import (
    AudioUnreadable,
    DatabaseUnavailable,
    InternalError,
    Interrupted,
    JobFailed,
    StaleAttempt,
    TimedOut,
    UnsafeSettings,
)
from streametrics.job import Claim, Stage
from streametrics.jobs import Jobs
from streametrics.lease import Lease
from streametrics.logs import about_job
from streametrics.presence import INTERVAL_S as PRESENCE_INTERVAL_S
from streametrics.settings import Settings
from streametrics.store.audio import AudioWriter
from streametrics.summarizer import Summarizer
from streametrics.summary_work import SummaryWork
from streametrics.transcriber import Transcriber

logger = logging.getLogger(__name__)


class Worker:
    """One process's tools for the work, made once. `transcriber` is None where only summaries are written.

    make_summarizer: the writer for a model, None for the settings' own; it keeps what it made.
    time_limit_error: what the task framework raises in the middle of work that takes too long. clock: for tests.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        *,
        make_summarizer: Callable[[str | None], Summarizer],
        transcriber: Transcriber | None,
        decoder: Decoder | None,
        time_limit_error: type[BaseException] = TimedOut,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._transcriber = transcriber
        self._decoder = decoder
        self._time_limit_error = time_limit_error
        #: Set when the process is asked to stop.
        self.stopping = threading.Event()
        self._summaries = SummaryWork(
            settings, jobs, make_summarizer=make_summarizer, stopping=self.stopping, clock=clock
        )

    def transcribe(self, task_id: str, worker: str) -> None:
        """Do what waits of this job's sound: all of it, its cutting, or one part."""
        self._work(task_id, Stage.TRANSCRIBE, worker, self._transcribe)

    def summarise(self, task_id: str, worker: str) -> None:
        """Write this job's summary."""
        self._work(task_id, Stage.SUMMARIZE, worker, self._summaries.summarise)

    def write_ahead(self, task_id: str) -> None:
        """Write notes on what is transcribed of a long recording; nothing but time depends on it."""
        self._summaries.write_ahead(task_id)

    def model_server(self) -> ModelHealth:
        """How far the model server is, for this process's presence."""
        return self._summaries.model_server(valid_s=PRESENCE_INTERVAL_S)

    def _work(self, task_id: str, stage: Stage, worker: str, do: Callable[[Claim, Lease], None]) -> None:
        with about_job(task_id):
            # Before the claim, so that nobody sees the job in work and not what is known of the model server.
            missing = not self._summaries.look_before_a_job().reachable
            claim = self._jobs.claim(task_id, stage, worker, model_server_missing=missing)
            if claim is None:
                logger.info("event=nothing_to_do stage=%s", stage)
                return
            part = "" if claim.part_index is None else f" part={claim.part_index}"
            logger.info("event=claimed stage=%s attempt=%d%s", stage, claim.attempt, part)
            started = time.monotonic()
            outcome = self._attempt(claim, do)
            elapsed_s = time.monotonic() - started
            logger.info("event=%s stage=%s%s elapsed_s=%.2f", outcome, stage, part, elapsed_s)

    def _attempt(self, claim: Claim, do: Callable[[Claim, Lease], None]) -> str:
        """Run one attempt; every way in which it can end is here. Returns the outcome's name for the log."""
        try:
            lease = Lease(
                self._jobs,
                claim,
                stopping=self.stopping,
                exit_when_overdue=self._transcriber is not None,
            )
            with lease:
                lease.begin()
                do(claim, lease)
        except StaleAttempt:
            return "stale"
        except Interrupted:
            self._jobs.give_back(claim)
            return "given_back"
        except JobFailed as error:
            return self._fail(claim, error)
        except DatabaseUnavailable:
            # Nothing can be written; the lease runs out and the keeper sends the job again.
            logger.exception("the database does not answer")
            return "abandoned"
        except Exception as error:
            # Whatever a library does, the job has to end in a state that its client can read.
            if isinstance(error, self._time_limit_error):
                return self._fail(claim, TimedOut())
            logger.exception("unexpected error")
            return self._fail(claim, InternalError())
        return "checkpoint"

    def _fail(self, claim: Claim, error: JobFailed) -> str:
        logger.warning("event=failed code=%s error=%s cause=%r", error.code, error, error.__cause__)
        with suppress(StaleAttempt, DatabaseUnavailable):
            self._jobs.fail(claim.task_id, error, claim)
        return "failed"

    def _transcribe(self, claim: Claim, lease: Lease) -> None:
        assert self._transcriber is not None and self._decoder is not None
        assert claim.audio_key is not None and claim.container is not None
        try:
            with ExitStack() as stack:
                path = stack.enter_context(self._jobs.audio.local_path(claim.audio_key))
                if claim.part_index is not None:
                    transcript = pipeline.hear_part(
                        path,
                        claim.start_s,
                        claim.end_s,
                        claim.request,
                        transcriber=self._transcriber,
                        reporter=lease,
                    )
                    self._jobs.store_part(claim, pipeline.as_stored(transcript))
                    return
                sinks: list[AudioWriter] = []

                def open_sink() -> AudioWriter:
                    sinks.append(self._jobs.audio.writer())
                    stack.callback(sinks[0].discard)
                    return sinks[0]

                outcome = pipeline.hear(
                    path,
                    claim.container,
                    claim.request,
                    kind=claim.kind,
                    settings=self._settings,
                    decoder=self._decoder,
                    transcriber=self._transcriber,
                    open_sink=open_sink,
                    reporter=lease,
                )
                match outcome:
                    case pipeline.Heard():
                        self._jobs.store_transcript(
                            claim,
                            pipeline.as_stored(outcome.transcript),
                            audio_s=outcome.audio_s,
                            warnings=outcome.warnings,
                        )
                    case pipeline.Cut():
                        self._jobs.store_parts(
                            claim,
                            audio_key=sinks[0].commit(),
                            audio_s=outcome.audio_s,
                            bounds_s=outcome.bounds_s,
                            warnings=outcome.warnings,
                        )
                    case pipeline.BelongsElsewhere():
                        self._jobs.reroute(claim, outcome.kind)
        except FileNotFoundError as error:
            raise AudioUnreadable("The stored audio is gone: send it again.") from error


def refuse_other_database(jobs: Jobs) -> None:
    """Raise UnsafeSettings when the API that uses this queue writes to another database."""
    announced = jobs.live.announced_database()
    if announced is not None and announced != jobs.records.database_id():
        raise UnsafeSettings(
            "This worker's database is not the API's: give both the same DATABASE_URL, or the same DATA_DIR "
            "on the same machine. (If the API was set up anew, start it first.)"
        )
