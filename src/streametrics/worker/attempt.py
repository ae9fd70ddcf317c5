"""Runs one attempt at a claimed job: holds its lease, and handles every way in which it can end."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from streametrics.concurrency.periodic import PeriodicThread
from streametrics.domain.job import Claim
from streametrics.errors import (
    AudioMissing,
    DatabaseUnavailable,
    InternalError,
    Interrupted,
    JobFailed,
    NoRoomForAudio,
    StaleAttempt,
    StorageFull,
    TimedOut,
)
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.observability import metrics
from streametrics.observability.logging import about_job
from streametrics.worker.lease import Lease
from streametrics.worker.progress_reporter import ProgressReporter

#: Between two tries to release a claim while the database is away, in seconds.
RELEASE_RETRY_INTERVAL_S = 1.0
#: After so many seconds a recording that found no room on the disk is tried again, `MAX_ATTEMPTS` times in all.
NO_ROOM_RETRY_S = 30.0
#: After so many seconds a job whose audio was not found is offered again.
AUDIO_MISSING_RETRY_S = 5.0

logger = logging.getLogger(__name__)


class Attempt:
    """One attempt. Several may share a batch: each ends by itself, and takes no other with it.

    stopping: set when the process is asked to stop. exit_when_overdue: see `Lease`. time_limit_error: what the task
    framework raises in the middle of work that takes too long; () where there is no such thing.
    """

    def __init__(
        self,
        jobs: JobLifecycle,
        claim: Claim,
        *,
        stopping: threading.Event,
        exit_when_overdue: bool = False,
        time_limit_error: type[BaseException] | tuple[()] = (),
    ) -> None:
        self.claim = claim
        self._jobs = jobs
        self._stopping = stopping
        self._exit_when_overdue = exit_when_overdue
        self._time_limit_error = time_limit_error
        self._started = time.monotonic()
        self._lease: Lease | None = None
        self._lease_stack = ExitStack()
        self._ended = False

    @property
    def is_open(self) -> bool:
        """Tell whether it has not ended yet."""
        return not self._ended

    @property
    def reporter(self) -> ProgressReporter:
        """Takes reports of progress, and raises where the work should stop; there is one once the attempt has begun."""
        assert self._lease is not None
        return self._lease.reporter

    def begin(self) -> None:
        """Renew the lease from here on, and publish that work has begun."""
        with self.step():
            self._lease = Lease(
                self._jobs, self.claim, stopping=self._stopping, exit_when_overdue=self._exit_when_overdue
            )
            self._lease_stack.enter_context(self._lease)
            self._lease.reporter.begin()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run a step of the work: what it raises ends this attempt and no other.

        The time limit of a task is raised again: it comes wherever the task is, and concerns all that it does.
        """
        try:
            with about_job(self.claim.task_id):
                yield
        except Exception as error:
            self.end(error)
            if isinstance(error, self._time_limit_error):
                raise

    def end(self, error: Exception | None = None) -> None:
        """End the attempt, as done or with this error; one that has ended stays as it is."""
        if self._ended:
            return
        self._ended = True
        self.stop_renewing()
        with about_job(self.claim.task_id):
            outcome = "checkpoint" if error is None else self._settle(error)
            elapsed_s = time.monotonic() - self._started
            if error is None:
                self._count(elapsed_s)
            logger.info("event=%s stage=%s%s elapsed_s=%.2f", outcome, self.claim.stage, self._part, elapsed_s)

    def stop_renewing(self) -> None:
        """Stop renewing the lease; the job's row stays as it is."""
        self._lease_stack.close()

    def _settle(self, error: Exception) -> str:
        """Write what this error means for the job; returns the outcome's name for the log."""
        if isinstance(error, self._time_limit_error):
            error = TimedOut()
        try:
            match error:
                case StaleAttempt():
                    return "stale"
                case Interrupted():
                    self._jobs.release(self.claim)
                    return "released"
                case AudioMissing():
                    # Whether it is gone, or only not here, the API's maintenance sees: it has put it there.
                    logger.error("event=audio_missing: is DATA_DIR the API's?")
                    self._jobs.release(self.claim, after_s=AUDIO_MISSING_RETRY_S)
                    return "released"
                case StorageFull():
                    is_put_back = self._jobs.put_back(self.claim, after_s=NO_ROOM_RETRY_S)
                    return "released" if is_put_back else self._fail(NoRoomForAudio())
                case TimedOut() if self._has_slept and self._jobs.put_back(self.claim, after_s=0.0):
                    return "released"
                case JobFailed():
                    return self._fail(error)
                case DatabaseUnavailable():
                    raise error
        except DatabaseUnavailable:
            # Nothing can be written now. Recovery leaves alone what a living process holds, so it is released later.
            logger.exception("the database does not answer")
            self._release_later()
            return "abandoned"
        # Whatever a library does, the job has to end in a state that its client can read.
        logger.error("unexpected error", exc_info=error)
        return self._fail(InternalError())

    @property
    def _has_slept(self) -> bool:
        """Tell whether the machine slept or this process was frozen meanwhile: limits of time may have counted that."""
        return self._lease is not None and self._lease.slept_s > 0

    def _release_later(self) -> None:
        until = time.monotonic() + self.claim.time_left_s

        def try_again() -> None:
            with suppress(DatabaseUnavailable):
                if time.monotonic() < until and not self._stopping.is_set():
                    self._jobs.release(self.claim)
                thread.stop()

        thread = PeriodicThread("release", try_again, RELEASE_RETRY_INTERVAL_S)
        thread.start()

    def _fail(self, error: JobFailed) -> str:
        logger.warning("event=failed code=%s error=%s cause=%r", error.code, error, error.__cause__)
        with suppress(StaleAttempt, DatabaseUnavailable):
            self._jobs.fail(self.claim.task_id, error, self.claim)
        return "failed"

    def _count(self, elapsed_s: float) -> None:
        self._jobs.metrics.observe(metrics.STAGE, elapsed_s, self.claim.stage)
        if self.reporter.sound_s > 0:
            self._jobs.metrics.observe(metrics.REAL_TIME_FACTOR, elapsed_s / self.reporter.sound_s)

    @property
    def _part(self) -> str:
        return "" if self.claim.part_index is None else f" part={self.claim.part_index}"


@contextmanager
def running(attempts: Sequence[Attempt]) -> Iterator[None]:
    """Begin attempts for the work in this block; what it raises ends those that have not ended by themselves."""
    try:
        for attempt in attempts:
            attempt.begin()
        yield
    except Exception as error:  # noqa: BLE001 - each attempt decides what an error means for its job
        for attempt in attempts:
            attempt.end(error)
    finally:
        for attempt in attempts:
            attempt.stop_renewing()
