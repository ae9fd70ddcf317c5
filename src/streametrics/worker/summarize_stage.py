"""Runs the summarize stage in a worker: summaries, incremental notes, and checks of the model server."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from streametrics.concurrency.ttl_cache import TtlCache
from streametrics.domain.job import Claim, JobKind
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import TimeSpan
from streametrics.errors import (
    MODEL_FAILURE_CODES,
    DatabaseUnavailable,
    Interrupted,
    SummarizerError,
    SummarizerTimeout,
)
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.llm.base import Condition, ModelHealth
from streametrics.observability import metrics
from streametrics.observability.logging import about_job
from streametrics.pipeline import summarize
from streametrics.pipeline.reporter import JobReporter
from streametrics.settings import Settings
from streametrics.summarization.base import Notes, Summarizer, Summary

#: How long a check of the model server counts, in seconds.
HEALTH_VALID_S = 10.0
#: What is reserved of LIVE_DEADLINE_S for what follows the model's time: noticing its end (within a quarter of a
#: second), hanging up, picking sentences and storing them, in seconds.
DELIVERY_RESERVE_S = 0.75

#: Between two checks of whether a job is cancelled, in seconds.
CANCEL_CHECK_INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


class SummarizeStage:
    """Summarizes transcripts. Thread-safe.

    make_summarizer: the summarizer for a model, None for the settings' own; it keeps what it made. stopping: set when
    the process is asked to stop. clock: for tests; seconds.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: JobLifecycle,
        *,
        make_summarizer: Callable[[str | None], Summarizer],
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._make_summarizer = make_summarizer
        self._stopping = stopping
        self._clock = clock
        self._taking_notes: set[str] = set()
        self._taking_notes_lock = threading.Lock()
        self._model_server = TtlCache(lambda: make_summarizer(None).health(), HEALTH_VALID_S)

    def summarize(self, claim: Claim, reporter: JobReporter) -> None:
        """Write a job's summary and finish the job; raises what `pipeline.summarize.write` raises."""
        assert claim.transcript is not None
        if not claim.request.wants_summary:
            result = JobResult(claim.transcript, summary="", summary_source="none", warnings=claim.warnings)
            self._jobs.finish(claim, result)
            return
        is_live = claim.kind is JobKind.LIVE
        notes = _CountingNotes(self._jobs.notes(claim.task_id))
        summary = self._write_counted(
            claim.transcript,
            claim.request,
            summarizer=self._make_summarizer(claim.request.summary_model),
            reporter=reporter
            if is_live
            else _TimeSlice(reporter, notes, self._settings.task_soft_time_limit_s, self._clock),
            notes=notes,
            time_limit_s=self._model_time_s(claim) if is_live else None,
        )
        result = JobResult(
            transcript=claim.transcript,
            summary=summary.text,
            summary_source=summary.source,
            model=summary.model,
            prompt_version=summary.prompt_version,
            warnings=(*claim.warnings, *summary.warnings),
            key_moments=tuple((moment.at_s, moment.what) for moment in summary.moments),
        )
        self._jobs.finish(claim, result)

    def _write_counted(self, *request: Any, **how: Any) -> Summary:  # noqa: ANN401 - as `pipeline.summarize.write`
        """Call `summarize.write` and count the model server's failures, whether a fallback helped or not."""
        try:
            summary = summarize.write(*request, **how)
        except SummarizerError as error:
            self._jobs.metrics.count(metrics.MODEL_FAILURES, error.code)
            raise
        for warning in summary.warnings:
            if warning.code in MODEL_FAILURE_CODES:
                self._jobs.metrics.count(metrics.MODEL_FAILURES, warning.code)
        return summary

    def _model_time_s(self, claim: Claim) -> float:
        """Compute the time that is left for the model before a live chunk's summary comes too late."""
        return max(0.0, self._settings.live_deadline_s - DELIVERY_RESERVE_S - claim.waited_s)

    def write_incremental_notes(self, task_id: str) -> None:
        """Write notes on what is transcribed so far of a recording, until it has caught up.

        Nothing depends on it but time: it holds no claim, and what it does not get done the summary does.
        """
        with self._taking_notes_lock:
            if task_id in self._taking_notes:
                return
            self._taking_notes.add(task_id)
        try:
            with about_job(task_id):
                self._catch_up(task_id)
        except Interrupted:
            logger.info("event=incremental_notes_stopped")
        except (SummarizerError, DatabaseUnavailable) as error:
            logger.warning("event=incremental_notes_failed code=%s", error.code)
        finally:
            with self._taking_notes_lock:
                self._taking_notes.discard(task_id)

    def model_server(self, *, valid_s: float = HEALTH_VALID_S) -> ModelHealth:
        """Check the model server, with a result that counts for a while: every job in work asks for it."""
        return self._model_server.get(ttl_s=valid_s)

    def prepare_model_server(self) -> ModelHealth:
        """Check the model server; a model that is not in memory begins to load while the sound is transcribed."""
        health = self.model_server()
        if health.condition is Condition.COLD:
            self._make_summarizer(None).warm_up()
        return health

    def _catch_up(self, task_id: str) -> None:
        seen = -1
        while (found := self._jobs.transcribed_so_far(task_id)) is not None:
            request, transcript = found
            if len(transcript.segments) == seen or not request.wants_summary:
                return
            seen = len(transcript.segments)
            written = summarize.write_incremental_notes(
                transcript,
                request,
                summarizer=self._make_summarizer(request.summary_model),
                notes=self._jobs.notes(task_id),
                check=self._cancellation_check(task_id),
            )
            logger.info("event=incremental_notes notes=%d", written)

    def _cancellation_check(self, task_id: str) -> Callable[[], None]:
        """Make the check of work without a claim, which no lease's thread stops: called several times a second."""
        check_at = time.monotonic() + CANCEL_CHECK_INTERVAL_S

        def check() -> None:
            nonlocal check_at
            if self._stopping.is_set():
                raise Interrupted
            if time.monotonic() >= check_at:
                check_at = time.monotonic() + CANCEL_CHECK_INTERVAL_S
                if self._jobs.is_cancelled(task_id):
                    raise Interrupted

        return check


class _CountingNotes:
    """Reads and writes notes, and counts those written."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.new = 0

    def get(self, key: str) -> str | None:
        return self._notes.get(key)

    def put(self, key: str, text: str, span: TimeSpan | None = None) -> None:
        self._notes.put(key, text, span)
        self.new += 1


class _TimeSlice:
    """Stops a summary when its task's time is over, for summaries that take longer than a task may.

    Ten hours of speech on a slow machine are a hundred calls to the model. The job goes back to the queue, and its next
    task finds the notes that this one has written. Where a task wrote none the model is given up, as nothing is gained.
    """

    def __init__(
        self, reporter: JobReporter, notes: _CountingNotes, slice_s: float, clock: Callable[[], float]
    ) -> None:
        self._reporter = reporter
        self._notes = notes
        self._slice_s = slice_s
        self._clock = clock
        self._ends_at = clock() + slice_s

    def check(self) -> None:
        self._reporter.check()
        if self._clock() < self._ends_at:
            return
        if self._notes.new:
            raise Interrupted
        raise SummarizerTimeout(
            f"The model server wrote nothing that could be kept in {self._slice_s / 60:.3g} minutes."
        )

    def transcribed(self, position_s: float, length_s: float, text: str) -> None:
        self._reporter.transcribed(position_s, length_s, text)

    def written(self, share: float, text: str) -> None:
        self._reporter.written(share, text)
