"""A claim while somebody works on it: renews the lease, reports progress, and says when to stop."""

import logging
import os
import threading
import time
from types import TracebackType
from typing import Self

from streametrics.domain.job import (
    SUMMARIZING_END,
    SUMMARIZING_FROM,
    TRANSCRIBING_END,
    Claim,
    JobState,
    Snapshot,
    Stage,
)
from streametrics.errors import Interrupted, StaleAttempt, StreametricsError, TimedOut
from streametrics.jobs.service import Jobs
from streametrics.worker.progress_reporter import OtherParts
from streametrics.worker.watchdog import GRACE_S, pulse

#: Between two progress writes of one job, in seconds.
REPORT_INTERVAL_S = 1.0
#: Of a summary: with less, what is left cannot be told from how long reading the prompt took.
LEAST_SHARE = 0.05
#: How long after its deadline a process that does not listen ends itself, in seconds.
OVERDUE_GRACE_S = 5.0
#: The exit status of such a process (EX_SOFTWARE of sysexits.h).
OVERDUE_EXIT = 70

logger = logging.getLogger(__name__)


class Lease:
    """Holds a claim for as long as its `with` block runs; it is the pipeline's reporter as well.

    exit_when_overdue: end the whole process when the work does not stop at its deadline. Only for processes
    that do one job at a time; it is what stops endless work in C where Celery's own limits do not reach.
    """

    def __init__(
        self,
        jobs: Jobs,
        claim: Claim,
        *,
        stopping: threading.Event,
        exit_when_overdue: bool = False,
    ) -> None:
        self._jobs = jobs
        self._claim = claim
        self._stopping = stopping
        self._exit_when_overdue = exit_when_overdue
        self._started = time.monotonic()
        self._deadline = self._started + claim.time_left_s
        self._reported = 0.0
        #: Length of the sound that was heard under this claim, 0 where none was, in seconds.
        self.sound_s = 0.0
        self._text_told = False
        #: Words that came too soon after others; the lease's thread tells the last of them when it is time.
        self._untold: Snapshot | None = None
        self._telling = threading.Lock()
        self._released = threading.Event()
        self._lost = threading.Event()
        self._pulse = pulse.watched(claim.time_left_s + GRACE_S)
        self._thread = threading.Thread(target=self._keep, name=f"lease-{claim.task_id}", daemon=True)
        self._others = OtherParts(jobs, claim)
        self._others.look()
        self._done_before_s = self._others.done_s

    def __enter__(self) -> Self:
        self._pulse.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._thread.join()
        self._pulse.__exit__(None, None, None)

    # The reporter's part

    def check(self) -> None:
        """Raise when this work should stop."""
        if self._lost.is_set():
            raise StaleAttempt
        if self._stopping.is_set():
            raise Interrupted
        if time.monotonic() >= self._deadline:
            raise TimedOut(f"The job took longer than {self._claim.time_left_s:.0f} s and was stopped.")

    def begin(self) -> None:
        """Say that work on this stage has begun."""
        if self._claim.stage is Stage.SUMMARIZE:
            self._publish(Snapshot(JobState.SUMMARIZING, progress=SUMMARIZING_FROM))
        else:
            share = self._others.done_s / self._claim.audio_s if self._claim.audio_s else 0.0
            progress = int(TRANSCRIBING_END * share)
            self._publish(Snapshot(JobState.TRANSCRIBING, progress=progress, transcription=self._others.text or None))

    def heard(self, position_s: float, length_s: float, text: str) -> None:
        """The sound of this claim is transcribed up to `position_s` of its `length_s`."""
        self.sound_s = length_s
        if self._is_due():
            self._others.look()
        whole_s = self._claim.audio_s or length_s
        done_s = min(self._others.done_s + position_s, whole_s)
        shown = " ".join(filter(None, (self._others.text, text if self._others.fills_the_gap else "")))
        # Of all who hear this recording: other parts are heard at the same time.
        speed = (done_s - self._done_before_s) / max(time.monotonic() - self._started, 1e-3)
        self._tell(
            Snapshot(
                JobState.TRANSCRIBING,
                progress=int(TRANSCRIBING_END * done_s / whole_s),
                transcription=shown or None,
                eta_s=(whole_s - done_s) / speed if speed > 0 else None,
            )
        )

    def written(self, share: float, text: str) -> None:
        """A share (0…1) of the summary is written; its first words are told at once."""
        is_first = bool(text) and not self._text_told
        self._text_told = self._text_told or bool(text)
        elapsed_s = time.monotonic() - self._started
        progress = SUMMARIZING_FROM + int((SUMMARIZING_END - SUMMARIZING_FROM) * min(max(share, 0.0), 1.0))
        self._tell(
            Snapshot(
                JobState.SUMMARIZING,
                progress=progress,
                partial_summary=text or None,
                eta_s=elapsed_s / share - elapsed_s if LEAST_SHARE <= share <= 1 else None,
            ),
            at_once=is_first,
        )

    def _tell(self, snapshot: Snapshot, *, at_once: bool = False) -> None:
        """Publish, about once a second; what is said in between waits, and only the last of it is told.

        Whisper tells a whole window's segments at once and is silent while it hears the next one, so a rule
        that drops what comes too soon would show the window's first segment for all that time.
        """
        with self._telling:
            self._untold = snapshot
            if at_once or self._is_due():
                self._tell_the_last()

    def _is_due(self) -> bool:
        return time.monotonic() - self._reported >= REPORT_INTERVAL_S

    def _tell_the_last(self) -> None:
        if self._untold is not None:
            self._reported = time.monotonic()
            self._publish(self._untold)
            self._untold = None

    def _publish(self, snapshot: Snapshot) -> None:
        self._jobs.publish(self._claim, snapshot)

    # The lease's part

    def _keep(self) -> None:
        """Renew the lease until it is released, tell what waits, and notice that the job is cancelled."""
        interval_s = self._jobs.settings.lease_s * 0.3
        renew_at = time.monotonic() + interval_s
        while not self._released.wait(min(interval_s, REPORT_INTERVAL_S)):
            now = time.monotonic()
            if now >= self._deadline:
                self._end_if_stuck()
                return
            if now >= renew_at:
                renew_at = now + interval_s
                if not self._renew():
                    return
            if self._jobs.is_cancelled(self._claim.task_id):
                logger.info("event=told_to_stop")
                self._lost.set()
                return
            with self._telling:
                if self._is_due():
                    self._tell_the_last()

    def _renew(self) -> bool:
        """False when the claim is somebody else's by now."""
        try:
            if self._jobs.leases.renew(self._claim):
                return True
        except StreametricsError as error:
            logger.warning("lease not renewed, trying again: %s", error)
            return True
        logger.warning("lease lost: another attempt has the job, or it has ended")
        self._lost.set()
        return False

    def _end_if_stuck(self) -> None:
        """The deadline has passed. Work that still runs after the grace is stuck where no exception reaches."""
        if not self._exit_when_overdue or self._released.wait(OVERDUE_GRACE_S):
            return
        logger.error("work is stuck past its deadline: ending this process")
        logging.shutdown()
        os._exit(OVERDUE_EXIT)
