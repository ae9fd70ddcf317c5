"""Several attempts at work at once: each ends by itself, but for the time limit of the task that they share."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streametrics.audio.decoder import AudioDecoder
from streametrics.domain.job import Claim, JobKind, JobRequest, Snapshot, Stage
from streametrics.domain.transcript import Transcript
from streametrics.errors import DatabaseUnavailable, JobFailed, StaleAttempt, StorageFull, TimedOut
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.settings import Settings
from streametrics.transcription.base import Outcome, TranscriptionRequest
from streametrics.transcription.engines.fake import FakeTranscriber
from streametrics.worker.attempt import Attempt, running
from streametrics.worker.transcribe_stage import INTAKE_SHARE, TranscribeStage
from tests.support.media import tone

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")


class TimeIsUp(Exception):
    """What a task framework raises wherever the task is."""


class Ledger:
    """Stands for a job's door: notes how each attempt ended. Its sound is two seconds of a tone."""

    def __init__(self, folder: Path) -> None:
        self.lease_s = 10.0
        self.audio = self
        self.metrics = SimpleNamespace(observe=lambda *_: None)
        self.ends: dict[str, str] = {}
        self._file = folder / "sound"
        self._file.write_bytes((tone(2.0, 16_000) * 32_767).astype("<i2").tobytes())

    @contextlib.contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        if key == "gone":
            raise FileNotFoundError
        if key == "full disk":
            raise StorageFull
        if key == "broken disk":
            raise OSError("input/output error")
        yield self._file

    def publish(self, claim: Claim, snapshot: Snapshot) -> None:
        """Nobody listens."""

    def is_cancelled(self, task_id: str) -> bool:
        return False

    def finished_parts(self, task_id: str, *, from_s: float = 0.0) -> list[Any]:
        return []

    def store_part(self, claim: Claim, transcript: Transcript) -> None:
        if claim.audio_key == "stale":
            raise StaleAttempt
        if claim.audio_key == "no database":
            raise DatabaseUnavailable
        self.ends[claim.task_id] = transcript.text

    def release(self, claim: Claim, *, after_s: float = 0.0) -> None:
        self.ends[claim.task_id] = "waits for its audio" if after_s else "given back"

    def put_back(self, claim: Claim, *, after_s: float) -> bool:
        if claim.tried:
            return False
        self.ends[claim.task_id] = "waits for room" if after_s else "put back"
        return True

    def fail(self, task_id: str, error: JobFailed, claim: Claim) -> None:
        self.ends[task_id] = error.code


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def transcribe(
    ledger: Ledger,
    *keys: str,
    before_segment: Callable[[int], None] | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    tried: bool = False,
    later: Sequence[str] = (),
    engine: type[FakeTranscriber] = FakeTranscriber,
) -> list[Attempt]:
    """Hear a sound for each key of the audio store, and then those that come later; job N has the N-th of them all."""
    jobs = cast(JobLifecycle, ledger)
    every = [
        Attempt(
            jobs,
            Claim(
                f"job {number}",
                Stage.TRANSCRIBE,
                1,
                1,
                "w",
                REQUEST,
                JobKind.LONG,
                time_left_s=60,
                audio_key=key,
                audio_s=2.0,
                part_index=number,
                end_s=2.0,
                tried=tried,
            ),
            stopping=threading.Event(),
            time_limit_error=TimeIsUp,
        )
        for number, key in enumerate([*keys, *later])
    ]
    attempts, coming = every[: len(keys)], every[len(keys) :]

    def join() -> Attempt | None:
        if not coming:
            return None
        attempts.append(coming.pop(0))
        attempts[-1].begin()
        return attempts[-1]

    work = TranscribeStage(
        Settings(_env_file=None),
        jobs,
        transcriber=engine(before_segment=before_segment),
        decoder=cast(AudioDecoder, None),
        open_decoder=lambda: cast(AudioDecoder, None),
        clock=clock,
    )
    with running(attempts):
        work.run(attempts, join)
    assert not any(attempt.is_open for attempt in attempts)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease-")]
    return attempts


def test_each_ends_as_its_own_sound_wants(ledger: Ledger) -> None:
    transcribe(ledger, "good", "gone", "broken disk", "stale", "no database", "good")

    # Expect those whose claim or database is gone to write nothing
    assert ledger.ends == {
        "job 0": "word0 word1",
        "job 1": "waits for its audio",
        "job 2": "internal_error",
        "job 5": "word0 word1",
    }


@pytest.mark.parametrize(("tried", "end"), [(False, "waits for room"), (True, "storage_full")])
def test_a_full_disk_is_waited_for_until_it_was_tried_often_enough(ledger: Ledger, tried: bool, end: str) -> None:
    transcribe(ledger, "full disk", "good", tried=tried)

    assert ledger.ends == {"job 0": end, "job 1": "word0 word1"}


def test_the_time_limit_of_the_task_ends_all_that_have_not_ended(ledger: Ledger) -> None:
    calls = itertools.count()

    def before_segment(number: int) -> None:
        if next(calls) == 3:
            raise TimeIsUp

    transcribe(ledger, "good", "good", "good", before_segment=before_segment)

    assert ledger.ends == {"job 0": "word0 word1", "job 1": "timed_out", "job 2": "timed_out"}


class Hoarding(FakeTranscriber):
    """Takes all that there is to hear before it hears the first of it."""

    def transcribe_batch(self, sounds: Iterable[TranscriptionRequest | None]) -> Iterator[tuple[int, Outcome]]:
        return super().transcribe_batch([sound for sound in sounds if sound is not None])


@pytest.mark.parametrize(("tried", "end"), [(False, "put back"), (True, "timed_out")])
@pytest.mark.parametrize("limit", [TimeIsUp, TimedOut])
def test_a_limit_of_time_that_counted_a_sleep_ends_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, limit: type[Exception], tried: bool, end: str
) -> None:
    monkeypatch.setattr("streametrics.worker.lease.Lease.slept_s", 700.0)

    def before_segment(number: int) -> None:
        raise limit

    transcribe(ledger, "good", before_segment=before_segment, tried=tried)

    # Expect another try, until it was tried often enough: a job that freezes its process must end
    assert ledger.ends == {"job 0": end}


@pytest.mark.parametrize("engine", [FakeTranscriber, Hoarding])
def test_what_is_not_begun_in_half_of_the_tasks_time_goes_back(ledger: Ledger, engine: type[FakeTranscriber]) -> None:
    now_s = [0.0]

    def before_segment(number: int) -> None:
        now_s[0] += INTAKE_SHARE * Settings(_env_file=None).task_soft_time_limit_s / 2

    transcribe(
        ledger, "good", "good", "good", tried=True, engine=engine, before_segment=before_segment, clock=lambda: now_s[0]
    )

    # Expect the first to be heard however long it takes
    assert ledger.ends == {"job 0": "word0 word1", "job 1": "given back", "job 2": "given back"}


def test_sounds_that_come_later_are_heard_until_the_tasks_turn_is_over(ledger: Ledger) -> None:
    now_s = [0.0]

    def before_segment(number: int) -> None:
        now_s[0] += INTAKE_SHARE * Settings(_env_file=None).task_soft_time_limit_s / 5

    later = ["gone", "good", "good", "good"]
    attempts = transcribe(ledger, "good", later=later, before_segment=before_segment, clock=lambda: now_s[0])

    # Expect each to end by itself, and the last not to be taken: two words take two fifths of the turn
    assert len(attempts) == 4
    assert ledger.ends == {
        "job 0": "word0 word1",
        "job 1": "waits for its audio",
        "job 2": "word0 word1",
        "job 3": "word0 word1",
    }


def test_nothing_is_taken_to_a_sound_that_was_tried_before(ledger: Ledger) -> None:
    transcribe(ledger, "good", tried=True, later=["good"])

    assert ledger.ends == {"job 0": "word0 word1"}


def test_what_a_step_raises_after_the_end_changes_nothing(ledger: Ledger) -> None:
    (attempt,) = transcribe(ledger, "good")

    with attempt.step():
        raise JobFailed

    assert ledger.ends == {"job 0": "word0 word1"}


def test_segments_are_told_to_the_attempts_own_reporter(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str | None]] = []
    monkeypatch.setattr(ledger, "publish", lambda claim, said: told.append((claim.task_id, said.transcription)))

    transcribe(ledger, "good", "good")

    assert told == [("job 0", None), ("job 1", None), ("job 0", "word0"), ("job 1", "word0")]
