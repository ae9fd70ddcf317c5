"""What maintenance does, against a real database and a real queue, with no other process about."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from sqlalchemy import text

from streametrics.concurrency.time_gaps import TimeGaps
from streametrics.domain.job import Claim, JobKind, JobRequest, JobState, Stage
from streametrics.domain.transcript import Segment, TimeSpan, Transcript
from streametrics.errors import StaleAttempt, WorkerLost
from streametrics.jobs import lease_holder
from streametrics.jobs.maintenance import Maintenance
from streametrics.redis.worker_registry import ServiceIds
from streametrics.settings import Settings
from tests.support.doubles import ManualClock
from tests.support.jobs import Jobs
from tests.support.stack import Stack, until

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
WORDS = Transcript((Segment(0.0, 1.0, "word"),), "en")


@pytest.fixture
def settings(fresh: Stack) -> Settings:
    return fresh.own_settings(lease_s=0.05, resend_after_s=30, task_time_limit_s=60)


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    with contextlib.closing(Jobs(settings)) as made:
        yield made


@pytest.fixture
def client(fresh: Stack) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(fresh.redis_url) as made:
        yield made


def accept(jobs: Jobs, kind: JobKind = JobKind.LIVE) -> str:
    return jobs.service.accept(REQUEST, kind=kind, audio_key=jobs.connections.audio.writer().commit(), container="wav")


def take(jobs: Jobs, task_id: str) -> Claim:
    claim = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    return claim


def run_out(jobs: Jobs, task_id: str, tries: int) -> Claim:
    """Claimed and left so often; the last lease has run out."""
    for number in range(tries):
        claim = take(jobs, task_id)
        older(jobs, task_id, "lease_until", 45)
        if number < tries - 1:
            (expired,) = [each for each in jobs.connections.leases.expired() if each.message.task_id == task_id]
            assert jobs.connections.leases.free(expired)
    return claim


def older(jobs: Jobs, task_id: str, column: str, seconds: float) -> None:
    with jobs.connections.database.write() as connection:
        for table in ("jobs", "parts"):
            change = f"UPDATE {table} SET {column} = {column} - {seconds} WHERE task_id = '{task_id}'"
            connection.execute(text(change))


def test_a_job_that_has_run_three_times_is_failed_in_one_write(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = accept(jobs)
    last = run_out(jobs, task_id, 3)

    # Given a process that dies right after its write
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs.connections, "delete_audio", die)
    with pytest.raises(KeyboardInterrupt):
        Maintenance(jobs.connections).recovery.round()

    # Expect the job to have ended: nobody runs it a fourth time, and its last worker writes no more
    assert jobs.service.status(task_id).error_code == "worker_lost"
    assert jobs.claim(task_id, Stage.TRANSCRIBE, "w") is None
    with pytest.raises(StaleAttempt):
        jobs.lifecycle.store_transcript(last, WORDS, audio_s=1.0, warnings=())


def test_a_worker_that_comes_back_in_time_is_not_failed(settings: Settings) -> None:
    with contextlib.closing(Jobs(settings.model_copy(update={"lease_s": 30.0}))) as jobs:
        task_id = accept(jobs)
        claim = run_out(jobs, task_id, 3)
        (expired,) = jobs.connections.leases.expired()
        assert jobs.connections.leases.renew(claim)

        assert not jobs.lifecycle.fail_expired(expired, WorkerLost())

        assert jobs.service.status(task_id).state is JobState.TRANSCRIBING


def test_a_lease_never_reaches_past_its_deadline(settings: Settings) -> None:
    with contextlib.closing(Jobs(settings.model_copy(update={"lease_s": 30.0}))) as jobs:
        task_id = accept(jobs)
        claim = take(jobs, task_id)
        older(jobs, task_id, "deadline_at", 59.5)
        jobs.connections.leases.renew(claim)
        # Expect it to run out with the deadline, and not half a minute later
        until(jobs.connections.leases.expired, within_s=5, what="the lease has run out")

        Maintenance(jobs.connections).recovery.round()

        assert jobs.service.status(task_id).error_code == "timed_out"


def test_a_job_whose_worker_died_runs_again_however_late_that_is_noticed(jobs: Jobs) -> None:
    task_id = accept(jobs)
    take(jobs, task_id)
    # Given a machine that was off for a night
    for column in ("lease_until", "deadline_at"):
        older(jobs, task_id, column, 30_000)

    Maintenance(jobs.connections).recovery.round()

    assert jobs.service.status(task_id).error_code is None
    assert jobs.claim(task_id, Stage.TRANSCRIBE, "w") is not None


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that looks like a worker's."""
    made = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "celery"])
    yield made
    made.kill()
    made.wait()


def held_by(jobs: Jobs, process: "subprocess.Popen[bytes]") -> str:
    """A job whose lease ran out while this process held it."""
    task_id = accept(jobs)
    assert jobs.claim(task_id, Stage.TRANSCRIBE, f"w@{socket.gethostname()}/{process.pid}")
    older(jobs, task_id, "lease_until", 10)
    return task_id


def test_a_stuck_process_keeps_its_job_until_the_deadline_and_takes_no_other_with_it(
    jobs: Jobs, process: "subprocess.Popen[bytes]"
) -> None:
    task_id = held_by(jobs, process)
    maintenance = Maintenance(jobs.connections)
    maintenance.recovery.round()
    assert jobs.claim(task_id, Stage.TRANSCRIBE, "other") is None

    older(jobs, task_id, "deadline_at", 61)
    maintenance.recovery.round()

    assert jobs.service.status(task_id).error_code == "timed_out"


@pytest.mark.parametrize(("left_s", "code"), [(3, "timed_out"), (30, None)])
def test_a_stuck_process_that_was_ended_at_its_limit_is_not_sent_again(
    jobs: Jobs, process: "subprocess.Popen[bytes]", left_s: float, code: str | None
) -> None:
    task_id = held_by(jobs, process)
    maintenance = Maintenance(jobs.connections)
    maintenance.recovery.round()
    # When it is ended, by Celery's limit or long before it by somebody else
    older(jobs, task_id, "deadline_at", 60 - left_s)
    process.kill()
    process.wait()
    maintenance.recovery.round()

    assert jobs.service.status(task_id).error_code == code
    assert (jobs.claim(task_id, Stage.TRANSCRIBE, "other") is None) == (code is not None)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_is_killed_or_stopped_loses_its_job_at_once(
    jobs: Jobs, process: "subprocess.Popen[bytes]", end: signal.Signals
) -> None:
    task_id = held_by(jobs, process)
    # Given a process that nobody has buried yet, or one that a signal has stopped
    process.send_signal(end)
    until(
        lambda: not lease_holder.is_running_here(f"w@{socket.gethostname()}/{process.pid}"),
        within_s=5,
        what="it has ended",
    )

    Maintenance(jobs.connections).recovery.round()

    assert jobs.claim(task_id, Stage.TRANSCRIBE, "other") is not None


class Sleep:
    """A machine that sleeps: its wall clock, which the rows' times go by, moves on by an hour, and nothing else."""

    SECONDS = 3600.0

    def __init__(self) -> None:
        self.clock, self.wall = ManualClock(), ManualClock(time.time())
        self.gaps = TimeGaps(5.0, clock=self.clock, wall=self.wall)

    def pass_over(self, jobs: Jobs, *task_ids: str) -> None:
        for task_id in task_ids:
            for column in ("lease_until", "deadline_at", "sent_at"):
                older(jobs, task_id, column, self.SECONDS)
        # The rows' times moved instead of the clock that is read: of all that a round compares, ages alone count.
        self.wall.now = time.time()
        self.gaps._noted_wall = self.wall.now - self.SECONDS
        assert self.gaps.note() == pytest.approx(self.SECONDS, abs=5)


def held_for_long(jobs: Jobs, process: "subprocess.Popen[bytes]") -> Claim:
    """A claim of a living process that has just been renewed."""
    task_id = accept(jobs)
    claim = jobs.claim(task_id, Stage.TRANSCRIBE, f"w@{socket.gethostname()}/{process.pid}")
    assert claim is not None
    return claim


@pytest.fixture
def patient(settings: Settings) -> Iterator[Jobs]:
    """Jobs whose leases do not run out within a test."""
    with contextlib.closing(Jobs(settings.model_copy(update={"lease_s": 10.0}))) as made:
        yield made


def test_a_lease_that_ran_out_in_a_sleep_is_renewed_by_its_worker_and_work_goes_on(
    patient: Jobs, process: "subprocess.Popen[bytes]"
) -> None:
    claim, sleep = held_for_long(patient, process), Sleep()
    maintenance = Maintenance(patient.connections, gaps=sleep.gaps)
    sleep.pass_over(patient, claim.task_id)

    # Expect a round that comes before the worker to leave the job alone
    maintenance.recovery.round()
    assert patient.service.status(claim.task_id).error_code is None
    assert patient.connections.leases.renew(claim, left_s=40.0)
    maintenance.recovery.round()
    sleep.clock.move(60.0)
    maintenance.recovery.round()

    assert patient.connections.leases.expired() == []
    patient.lifecycle.store_transcript(claim, WORDS, audio_s=1.0, warnings=())
    assert patient.service.status(claim.task_id).state is JobState.TRANSCRIBED


def test_a_deadline_counts_the_time_in_which_the_worker_was_awake(
    patient: Jobs, process: "subprocess.Popen[bytes]"
) -> None:
    claim, sleep = held_for_long(patient, process), Sleep()
    maintenance = Maintenance(patient.connections, gaps=sleep.gaps)
    sleep.pass_over(patient, claim.task_id)
    sleep.clock.move(11.0)

    # Given a process that is awake again, lives and renews nothing, with 60 s of which it has used none
    maintenance.recovery.round()
    assert patient.service.status(claim.task_id).error_code is None

    for column in ("lease_until", "deadline_at"):
        older(patient, claim.task_id, column, 70)
    maintenance.recovery.round()
    assert patient.service.status(claim.task_id).error_code == "timed_out"


def test_a_lease_of_a_dead_worker_that_ran_out_in_a_sleep_is_freed_and_counts_no_try(patient: Jobs) -> None:
    task_id, sleep = accept(patient), Sleep()
    # Given a third try, and one renewed up to its deadline
    for _ in range(3):
        take(patient, task_id)
        older(patient, task_id, "lease_until", 45)
        (expired,) = patient.connections.leases.expired()
        patient.connections.leases.free(expired)
    with patient.connections.database.write() as connection:
        connection.execute(text("UPDATE jobs SET tries = 2"))
    take(patient, task_id)
    with patient.connections.database.write() as connection:
        connection.execute(text("UPDATE jobs SET deadline_at = lease_until"))
    maintenance = Maintenance(patient.connections, gaps=sleep.gaps)
    sleep.pass_over(patient, task_id)

    maintenance.recovery.round()
    assert patient.claim(task_id, Stage.TRANSCRIBE, "w") is None, "its worker may still be waking up"
    sleep.clock.move(11.0)
    maintenance.recovery.round()

    claim = patient.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    with patient.connections.database.read() as connection:
        assert connection.execute(text("SELECT tries FROM jobs")).scalar_one() == 3


def test_a_wait_does_not_count_the_time_in_which_nobody_could_end_it(settings: Settings) -> None:
    limited = settings.model_copy(update={"wait_limit_s": 1800.0})
    with contextlib.closing(Jobs(limited)) as jobs:
        task_id, sleep = accept(jobs), Sleep()
        maintenance = Maintenance(jobs.connections, gaps=sleep.gaps)
        sleep.pass_over(jobs, task_id)

        maintenance.retention.round()
        assert jobs.service.status(task_id).error_code is None

        older(jobs, task_id, "sent_at", 1801)
        maintenance.retention.round()
        assert jobs.service.status(task_id).error_code == "timed_out"


def test_a_lost_message_is_sent_again_whatever_dead_workers_had_taken(jobs: Jobs, client: "redis.Redis") -> None:
    task_id = accept(jobs)
    assert client.delete("live") == 1
    # Given messages that killed workers took: they come back after twelve minutes
    client.hset("unacked", mapping={f"tag-{number}": "[]" for number in range(5)})
    older(jobs, task_id, "sent_at", 60)

    maintenance = Maintenance(jobs.connections)
    for _ in range(3):
        maintenance.recovery.round()

    assert client.llen("live") == 1, "sent once, for it is there now"
    # And expect it to be counted, for one version under the name of before as well
    jobs.connections.metrics.close()
    counted = jobs.connections.counters.sums()
    assert counted["streametrics_task_messages_resent||live"] == 1
    assert counted["streametrics_wake_ups_sent_again||live"] == 1


def test_other_work_that_waits_does_not_hide_a_lost_message(jobs: Jobs, client: "redis.Redis") -> None:
    # Given a lost live chunk, older recordings that wait with their messages, and chunks that have just come
    recordings = [accept(jobs, JobKind.LONG) for _ in range(3)]
    lost = accept(jobs)
    assert client.delete("live") == 1
    for task_id in (*recordings, lost):
        older(jobs, task_id, "sent_at", 60)
    for _ in range(3):
        accept(jobs)

    Maintenance(jobs.connections).recovery.round()

    assert client.llen("long") == 3
    assert client.llen("live") == 4
    assert [lost.encode() in message for message in client.lrange("live", 0, -1)].count(True) == 1


def test_nothing_is_sent_again_while_every_message_is_there(jobs: Jobs, client: "redis.Redis") -> None:
    for _ in range(3):
        older(jobs, accept(jobs), "sent_at", 60)

    Maintenance(jobs.connections).recovery.round()

    assert client.llen("live") == 3


def test_a_job_that_nobody_takes_ends_at_last(settings: Settings, fresh: Stack) -> None:
    patient = settings.model_copy(update={"wait_limit_s": 3600.0, "lease_s": 30.0})
    with contextlib.closing(Jobs(patient)) as jobs:
        waiting, taken, cut = accept(jobs), accept(jobs), accept(jobs, JobKind.LONG)
        take(jobs, taken)
        spans = [TimeSpan(0.0, 1.0), TimeSpan(1.0, 2.0)]
        pcm = jobs.connections.audio.writer().commit()
        jobs.lifecycle.store_parts(take(jobs, cut), audio_key=pcm, audio_s=2.0, spans=spans, warnings=())
        maintenance = Maintenance(jobs.connections)
        maintenance.retention.round()
        assert [jobs.service.status(each).error_code for each in (waiting, taken, cut)] == [None] * 3

        for task_id in (waiting, taken, cut):
            older(jobs, task_id, "sent_at", 3601)
        young = accept(jobs)
        maintenance.retention.round()

        assert [jobs.service.status(each).error_code for each in (waiting, cut)] == ["timed_out"] * 2
        assert "No worker took this job for 1 hour" in str(jobs.service.status(waiting).error)
        assert [jobs.service.status(each).error_code for each in (taken, young)] == [None] * 2
        assert len(fresh.audio_files) == 2, "of those that go on"


def test_maintenance_twice_at_once_does_what_one_would(settings: Settings, client: "redis.Redis") -> None:
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(contextlib.closing(Jobs(settings))) for _ in range(2)]
        jobs = both[0]
        poisoned = [accept(jobs) for _ in range(4)]
        lost = [accept(jobs) for _ in range(4)]
        for task_id in poisoned:
            run_out(jobs, task_id, 3)
        for task_id in lost:
            run_out(jobs, task_id, 1)
        client.delete("live")
        start = threading.Barrier(2)

        def keep(mine: Jobs) -> None:
            maintenance = Maintenance(mine.connections)
            start.wait()
            for _ in range(5):
                maintenance.recovery.round()

        threads = [threading.Thread(target=keep, args=(mine,)) for mine in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [jobs.service.status(task_id).error_code for task_id in poisoned] == ["worker_lost"] * 4
        assert [jobs.service.status(task_id).error_code for task_id in lost] == [None] * 4
        assert client.llen("live") == 4, "each was freed once, and sent once"
        assert all(jobs.claim(task_id, Stage.TRANSCRIBE, "w") for task_id in lost)


def test_a_workers_maintenance_leaves_to_other_hosts_what_is_theirs(
    jobs: Jobs, process: "subprocess.Popen[bytes]"
) -> None:
    ours, theirs = held_by(jobs, process), accept(jobs)
    assert jobs.claim(theirs, Stage.TRANSCRIBE, f"w@another-host/{process.pid}")
    older(jobs, theirs, "lease_until", 10)
    process.kill()
    process.wait()

    Maintenance(jobs.connections, in_worker=True).recovery.round()

    assert jobs.claim(ours, Stage.TRANSCRIBE, "w") is not None
    assert jobs.claim(theirs, Stage.TRANSCRIBE, "w") is None
    Maintenance(jobs.connections).recovery.round()
    assert jobs.claim(theirs, Stage.TRANSCRIBE, "w") is not None


def test_a_workers_maintenance_does_nothing_while_the_api_writes_to_another_database(
    jobs: Jobs, process: "subprocess.Popen[bytes]"
) -> None:
    task_id = held_by(jobs, process)
    process.kill()
    process.wait()
    another = ServiceIds("a" * 32, "b" * 32)
    assert jobs.connections.registry.announce_service(another)

    Maintenance(jobs.connections, in_worker=True).recovery.round()

    assert jobs.claim(task_id, Stage.TRANSCRIBE, "w") is None
    assert jobs.connections.registry.announced().database == another.database
