"""What a worker tells of its work while it is at it."""

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streametrics.concurrency.awake_clock import AwakeClock
from streametrics.domain.job import Claim, JobKind, JobRequest, Snapshot, Stage
from streametrics.domain.transcript import Segment, Transcript, TranscriptPart
from streametrics.errors import DatabaseUnavailable, StaleAttempt, TimedOut
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.worker.lease import Lease
from tests.support.doubles import ManualClock
from tests.support.stack import until

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
CLAIM = Claim("id", Stage.SUMMARIZE, 1, 1, "w", REQUEST, JobKind.LIVE, time_left_s=60)


class Heard:
    """Hears what is published, and nothing else of a job."""

    def __init__(self) -> None:
        self.published: list[Snapshot] = []
        self.lease_s = 10.0
        self.cancelled = False
        #: What the row says of the claim.
        self.holds = True
        self.renewals = 0

    def renew(self, claim: Claim, *, left_s: float) -> bool:
        self.renewals += 1
        return self.holds

    def publish(self, claim: Claim, snapshot: Snapshot) -> None:
        self.published.append(snapshot)

    def is_cancelled(self, task_id: str) -> bool:
        return self.cancelled


def lease(jobs: Any, claim: Claim = CLAIM, clock: AwakeClock | None = None) -> Lease:
    return Lease(cast(JobLifecycle, jobs), claim, stopping=threading.Event(), clock=clock)


def test_the_first_words_of_a_summary_are_shown_at_once() -> None:
    transcribed = Heard()
    reporter = lease(transcribed).reporter
    reporter.begin()
    # Given a share that is told, and words that follow within the second in which nothing more is told
    reporter.written(0.1, "")
    reporter.written(0.2, "Ada")
    reporter.written(0.3, "Ada beats")
    # Expect the first of them to be shown all the same, and no empty text before
    assert [snapshot.partial_summary for snapshot in transcribed.published] == [None, None, "Ada"]


def test_the_time_left_is_not_guessed_from_the_first_token() -> None:
    transcribed = Heard()
    reporter = lease(transcribed).reporter
    reporter.written(0.01, "Ada")
    assert transcribed.published[-1].eta_s is None
    later = lease(transcribed).reporter
    later.written(0.5, "Ada beats")
    assert transcribed.published[-1].eta_s is not None


def test_what_is_heard_in_a_burst_is_shown_up_to_its_end_while_nothing_follows() -> None:
    transcribed = Heard()
    # Given an engine that tells the segments of a window at once, and is then busy with the next window
    with lease(transcribed, replace(CLAIM, stage=Stage.TRANSCRIBE)) as reporter:
        for second in range(1, 31):
            reporter.transcribed(second, 60, f"{second} seconds")
        # Expect the position to be the window's end, without another word from the engine
        until(lambda: transcribed.published[-1].progress == 49 * 30 // 60, within_s=5, what="the last of it is shown")
    assert [snapshot.transcription for snapshot in transcribed.published] == ["1 seconds", "30 seconds"]


def test_nothing_is_told_once_the_claim_is_released() -> None:
    transcribed = Heard()
    # Given words that wait for their turn when the work ends
    with lease(transcribed, replace(CLAIM, stage=Stage.TRANSCRIBE)) as reporter:
        reporter.transcribed(1, 60, "first")
        reporter.transcribed(2, 60, "second")
    # Expect them to be dropped: the row says more by then
    assert [snapshot.transcription for snapshot in transcribed.published] == ["first"]


def test_a_cancelled_job_stops_its_work_though_nothing_is_told_of_it() -> None:
    transcribed = Heard()
    with lease(transcribed) as reporter:
        reporter.check()
        transcribed.cancelled, transcribed.holds = True, False

        def is_stopped() -> bool:
            try:
                reporter.check()
            except StaleAttempt:
                return True
            return False

        # Expect the next look to stop it, long before the lease is renewed
        until(is_stopped, within_s=2.5, what="the work is stopped")


def test_a_mark_of_a_cancelled_job_that_its_row_does_not_confirm_stops_nobody() -> None:
    marked = Heard()
    marked.cancelled = True
    with lease(marked) as reporter:
        # Given that the row was asked, and asked again
        until(lambda: marked.renewals > 1, within_s=5, what="the row is asked")
        reporter.check()


class Recording(Heard):
    """A recording of three minutes in three parts; `done` are those that are heard."""

    def __init__(self) -> None:
        super().__init__()
        self.done: dict[int, str] = {}
        self.is_away = False

    def finished_parts(self, task_id: str, *, from_s: float) -> list[TranscriptPart]:
        if self.is_away:
            raise DatabaseUnavailable
        return [
            TranscriptPart(60.0 * index, 60.0 * (index + 1), Transcript((Segment(0.0, 1.0, text),), "en"))
            for index, text in sorted(self.done.items())
            if 60.0 * index >= from_s
        ]

    def lease(self, index: int) -> Lease:
        bounds = {"part_index": index, "start_s": 60.0 * index, "end_s": 60.0 * (index + 1), "audio_s": 180.0}
        return lease(self, replace(CLAIM, stage=Stage.TRANSCRIBE, **bounds))


def test_words_of_a_part_are_shown_once_all_before_it_are_there() -> None:
    recording = Recording()
    # Given a part that is heard while the one before it is
    recording.lease(1).reporter.transcribed(30, 60, "second")
    assert recording.published[-1].transcription is None

    second = recording.lease(1).reporter
    recording.done = {0: "first"}
    second.transcribed(30, 60, "second")

    shown = recording.published[-1]
    assert (shown.transcription, shown.progress) == ("first second", 49 * 90 // 180)


def test_parts_behind_a_gap_count_and_are_not_shown() -> None:
    recording = Recording()
    recording.done = {0: "first", 2: "third"}

    recording.lease(1).reporter.begin()

    shown = recording.published[-1]
    assert (shown.transcription, shown.progress) == ("first", 49 * 120 // 180)


def test_a_database_that_is_away_ends_no_part() -> None:
    recording = Recording()
    recording.done = {0: "first"}
    second = recording.lease(1).reporter
    recording.is_away = True

    second.transcribed(30, 60, "second")

    assert recording.published[-1].transcription == "first second"


def test_the_time_left_of_a_recording_is_told_by_all_that_is_heard_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr("streametrics.worker.progress_reporter.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    recording = Recording()
    second = recording.lease(1).reporter
    # Given half of this part, and all of another, heard in 30 s
    recording.done = {0: "first"}
    now_s[0] = 30.0

    second.transcribed(30, 60, "second")

    # Expect the other half of the recording to take as long
    assert recording.published[-1].eta_s == pytest.approx(30.0)


class Failing(Heard):
    """A job whose first look fails in a way that nobody has thought of."""

    def __init__(self) -> None:
        super().__init__()
        self.lease_s = 0.1
        self.looks = 0
        self.renewed = threading.Event()

    def is_cancelled(self, task_id: str) -> bool:
        self.looks += 1
        if self.looks == 1:
            raise RuntimeError("unheard of")
        return False

    def renew(self, claim: Claim, *, left_s: float) -> bool:
        if self.looks > 0:
            self.renewed.set()
        return True


def test_a_lease_is_renewed_still_after_an_error_that_nobody_expected(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    with lease(failing):
        assert failing.renewed.wait(10)
    assert "a round of 'lease-id' failed; the next one tries again" in caplog.messages


class Renewed(Heard):
    """Notes what time its worker says is left."""

    def __init__(self) -> None:
        super().__init__()
        self.lease_s = 0.1
        self.left_s: list[float] = []

    def renew(self, claim: Claim, *, left_s: float) -> bool:
        self.left_s.append(left_s)
        return True


def test_time_in_which_the_process_was_frozen_is_none_of_the_jobs_time() -> None:
    clock, renewed = ManualClock(1000.0), Renewed()
    held = lease(renewed, clock=AwakeClock(clock=clock, computed=lambda: 0.0))
    held.check()
    # Given an hour in which nothing ran, of a job that may take a minute
    clock.move(3600.0)

    held.check()
    assert held.slept_s == 3600.0
    with held:
        clock.move(9.0)
        until(lambda: renewed.left_s, within_s=5, what="it is renewed")
    assert renewed.left_s == [51.0]
    # And its time to end when it has run for a minute
    for _ in range(6):
        clock.move(9.0)
        if clock.now < 1000 + 3600 + 60:
            held.check()
    with pytest.raises(TimedOut):
        held.check()
