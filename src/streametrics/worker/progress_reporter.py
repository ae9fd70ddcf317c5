"""Publishes a job's progress, across the parts that are transcribed at the same time."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from streametrics.domain.job import (
    SUMMARIZING_END,
    SUMMARIZING_FROM,
    TRANSCRIBING_END,
    Claim,
    JobState,
    Snapshot,
    Stage,
)
from streametrics.domain.transcript import up_to_a_gap
from streametrics.errors import DatabaseUnavailable
from streametrics.jobs.lifecycle import JobLifecycle

#: Between two progress writes of one job, in seconds.
REPORT_INTERVAL_S = 1.0
#: The least share of a summary from which the rest is estimated: with less, reading the prompt took most of the time.
MIN_SHARE_FOR_ETA = 0.05


class FinishedParts:
    """Reads which parts of a recording are transcribed, again and again, as others work on it; no parts for a chunk.

    done_s: seconds of sound in the parts that are done. text: the words up to the first gap. is_next: whether the
    words of this claim's part come right behind them.
    """

    def __init__(self, jobs: JobLifecycle, claim: Claim) -> None:
        self._jobs, self._claim = jobs, claim
        self._reached_s = 0.0
        self.done_s, self.text = 0.0, ""

    @property
    def is_next(self) -> bool:
        return self._claim.part_index is None or self._claim.start_s == self._reached_s

    def refresh(self) -> None:
        """Read what has been transcribed since. A database that does not answer leaves things as they are."""
        if self._claim.part_index is None:
            return
        with suppress(DatabaseUnavailable):
            finished = self._jobs.finished_parts(self._claim.task_id, from_s=self._reached_s)
            following = list(up_to_a_gap(finished, from_s=self._reached_s))
            for part in following:
                self._reached_s = part.end_s
                self.text = " ".join(filter(None, (self.text, part.transcript.text)))
            self.done_s = self._reached_s + sum(part.end_s - part.start_s for part in finished[len(following) :])


class ProgressReporter:
    """Publishes the progress of one claim, about once a second. check: raises when its work should stop."""

    def __init__(self, jobs: JobLifecycle, claim: Claim, *, check: Callable[[], None]) -> None:
        self._jobs = jobs
        self._claim = claim
        self._check = check
        self._started = time.monotonic()
        self._reported = 0.0
        #: Length of the sound that is transcribed under this claim, 0 where none is, in seconds.
        self.sound_s = 0.0
        self._text_published = False
        #: What came too soon after the last publication; the lease's thread publishes it when it is time.
        self._pending: Snapshot | None = None
        self._lock = threading.Lock()
        self._finished = FinishedParts(jobs, claim)
        self._finished.refresh()
        self._done_before_s = self._finished.done_s

    def check(self) -> None:
        """Raise when this work should stop."""
        self._check()

    def begin(self) -> None:
        """Publish that work on this stage has begun."""
        if self._claim.stage is Stage.SUMMARIZE:
            self._publish(Snapshot(JobState.SUMMARIZING, progress=SUMMARIZING_FROM))
        else:
            share = self._finished.done_s / self._claim.audio_s if self._claim.audio_s else 0.0
            progress = int(TRANSCRIBING_END * share)
            self._publish(Snapshot(JobState.TRANSCRIBING, progress=progress, transcription=self._finished.text or None))

    def transcribed(self, position_s: float, length_s: float, text: str) -> None:
        """Report that the claim's sound is transcribed up to `position_s` of `length_s`; `text` is all of it so far."""
        self.sound_s = length_s
        if self._is_due():
            self._finished.refresh()
        whole_s = self._claim.audio_s or length_s
        done_s = min(self._finished.done_s + position_s, whole_s)
        shown = " ".join(filter(None, (self._finished.text, text if self._finished.is_next else "")))
        # The speed of all who work on this recording: other parts are transcribed at the same time.
        speed = (done_s - self._done_before_s) / max(time.monotonic() - self._started, 1e-3)
        self._publish_throttled(
            Snapshot(
                JobState.TRANSCRIBING,
                progress=int(TRANSCRIBING_END * done_s / whole_s),
                transcription=shown or None,
                eta_s=(whole_s - done_s) / speed if speed > 0 else None,
            )
        )

    def written(self, share: float, text: str) -> None:
        """Report that a share (0…1) of the summary is written; its first words are published at once."""
        is_first = bool(text) and not self._text_published
        self._text_published = self._text_published or bool(text)
        elapsed_s = time.monotonic() - self._started
        progress = SUMMARIZING_FROM + int((SUMMARIZING_END - SUMMARIZING_FROM) * min(max(share, 0.0), 1.0))
        self._publish_throttled(
            Snapshot(
                JobState.SUMMARIZING,
                progress=progress,
                partial_summary=text or None,
                eta_s=elapsed_s / share - elapsed_s if MIN_SHARE_FOR_ETA <= share <= 1 else None,
            ),
            at_once=is_first,
        )

    def publish_pending(self) -> None:
        """Publish the last snapshot that came too soon, once it is time."""
        with self._lock:
            if self._is_due():
                self._publish_pending()

    def _publish_throttled(self, snapshot: Snapshot, *, at_once: bool = False) -> None:
        """Publish a snapshot, about once a second; of those in between the last one waits for its time.

        Whisper yields a whole window's segments at once and nothing during the next window, so a rule that drops
        what comes too soon would show the window's first segment for all that time.
        """
        with self._lock:
            self._pending = snapshot
            if at_once or self._is_due():
                self._publish_pending()

    def _is_due(self) -> bool:
        return time.monotonic() - self._reported >= REPORT_INTERVAL_S

    def _publish_pending(self) -> None:
        if self._pending is not None:
            self._reported = time.monotonic()
            self._publish(self._pending)
            self._pending = None

    def _publish(self, snapshot: Snapshot) -> None:
        self._jobs.publish(self._claim, snapshot)
