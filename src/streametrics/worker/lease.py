"""Renews a claim's lease while somebody works on it, and says when to stop."""

import logging
import os
import threading
from types import TracebackType

from streametrics.concurrency.awake_clock import AwakeClock
from streametrics.concurrency.periodic import PeriodicThread
from streametrics.domain.job import Claim
from streametrics.errors import Interrupted, StaleAttempt, StreametricsError, TimedOut
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.worker.progress_reporter import REPORT_INTERVAL_S, ProgressReporter
from streametrics.worker.watchdog import GRACE_S, watchdog

#: How long after its deadline a process whose work does not stop ends itself, in seconds.
OVERDUE_GRACE_S = 5.0
#: The exit status of such a process (EX_SOFTWARE of sysexits.h).
OVERDUE_EXIT = 70

logger = logging.getLogger(__name__)


class Lease:
    """Holds a claim for as long as its `with` block runs; `reporter` tells how far its work is.

    exit_when_overdue: end the whole process when the work does not stop at its deadline. Only for processes
    that do one job at a time; it is what stops endless work in C where Celery's own limits do not reach.
    clock: for tests.
    """

    def __init__(
        self,
        jobs: JobLifecycle,
        claim: Claim,
        *,
        stopping: threading.Event,
        exit_when_overdue: bool = False,
        clock: AwakeClock | None = None,
    ) -> None:
        self._jobs = jobs
        self._claim = claim
        self._stopping = stopping
        self._exit_when_overdue = exit_when_overdue
        self._clock = clock or AwakeClock()
        self._deadline = self._clock() + claim.time_left_s
        self._renew_every_s = jobs.lease_s * 0.3
        self._renew_at = 0.0
        self._lost = threading.Event()
        self._watchdog = watchdog.watch(claim.time_left_s + GRACE_S)
        self._thread = PeriodicThread(
            f"lease-{claim.task_id}", self._keep, min(self._renew_every_s, REPORT_INTERVAL_S), part="lease renewal"
        )
        self.reporter = ProgressReporter(jobs, claim, check=self.check)

    def __enter__(self) -> ProgressReporter:
        self._watchdog.__enter__()
        self._renew_at = self._clock() + self._renew_every_s
        self._thread.start()
        return self.reporter

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.stop(wait_s=None)
        self._watchdog.__exit__(None, None, None)

    @property
    def slept_s(self) -> float:
        """For how long this process was frozen meanwhile, in seconds; no time limit of ours counts that."""
        return self._clock.slept_s

    def check(self) -> None:
        """Raise when this work should stop."""
        if self._lost.is_set():
            raise StaleAttempt
        if self._stopping.is_set():
            raise Interrupted
        if self._clock() >= self._deadline:
            raise TimedOut(f"The job took longer than {self._claim.time_left_s:.0f} s and was stopped.")

    def _keep(self) -> None:
        """Renew the lease when it is time, publish pending progress, and notice that the job is cancelled."""
        now = self._clock()
        if now >= self._deadline:
            self._end_if_stuck()
            self._thread.stop()
            return
        if now >= self._renew_at:
            if not self._renew():
                self._thread.stop()
                return
            # Last: where renewing fails by something unforeseen, the next round tries again, not one of later.
            self._renew_at = now + self._renew_every_s
        # The mark is a hint, which anybody may have left where Redis has no password: the row decides.
        if self._jobs.is_cancelled(self._claim.task_id) and not self._renew():
            logger.info("event=told_to_stop")
            self._thread.stop()
            return
        self.reporter.publish_pending()

    def _renew(self) -> bool:
        """Renew the lease; False when the claim no longer holds."""
        try:
            if self._jobs.renew(self._claim, left_s=self._deadline - self._clock()):
                return True
        except StreametricsError as error:
            logger.warning("lease not renewed, trying again: %s", error)
            return True
        logger.warning("lease lost: another attempt has the job, or it has ended")
        self._lost.set()
        return False

    def _end_if_stuck(self) -> None:
        """End the process where work still runs after deadline and grace: it is stuck where no exception reaches."""
        if not self._exit_when_overdue or self._thread.stopped.wait(OVERDUE_GRACE_S):
            return
        logger.error("work is stuck past its deadline: ending this process")
        logging.shutdown()
        os._exit(OVERDUE_EXIT)
