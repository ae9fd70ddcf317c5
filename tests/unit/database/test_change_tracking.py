"""Every write that a poller can see is told of, by the job's id; nothing else is."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from streametrics.database.checkpoints import Checkpoints
from streametrics.database.engine import Database
from streametrics.database.jobs import JobRecords
from streametrics.database.leases import Leases
from streametrics.database.migrate import migrate
from streametrics.database.notes import JobNotes
from streametrics.database.tables import facts, jobs
from streametrics.domain.job import JobKind, JobRequest, Stage
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import Segment, TimeSpan, Transcript, merge_transcripts
from streametrics.errors import InternalError, StaleAttempt
from tests.support.jobs import SingleClaims

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
WORDS = Transcript((Segment(0.0, 1.0, "word"),), "en")


class Store:
    """A database, and what it told of each step."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'streametrics.db'}"
        migrate(url)
        self.told: list[frozenset[str] | None] = []
        self.database = Database(url, on_change=self.told.append)
        self.records = JobRecords(self.database)
        self.claims = SingleClaims(self.database, lease_s=10.0, deadline_s=600.0)
        self.leases = Leases(self.database, lease_s=10.0)
        self.checkpoints = Checkpoints(self.database)

    def job(self, task_id: str, kind: JobKind = JobKind.LIVE) -> None:
        self.records.insert(task_id, REQUEST, owner="local", kind=kind, audio_key=f"key of {task_id}", container="wav")

    def fail(self, task_id: str) -> None:
        claim = self.claims.claim(task_id, Stage.TRANSCRIBE, "w")
        assert claim is not None
        self.since()
        self.checkpoints.fail(task_id, InternalError(), claim)

    def since(self) -> list[frozenset[str] | None]:
        """What was told since the last look."""
        told, self.told[:] = list(self.told), []
        return told


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.database.close()


ONE = [frozenset({"one"})]


def test_each_step_of_a_live_job_is_told(store: Store) -> None:
    store.job("one")
    assert store.since() == [], "nobody can have an answer of a job that is new"
    claim = store.claims.claim("one", Stage.TRANSCRIBE, "w")
    assert claim is not None and store.since() == ONE
    store.checkpoints.store_transcript(claim, WORDS, audio_s=1.0, warnings=())
    assert store.since() == ONE
    claim = store.claims.claim("one", Stage.SUMMARIZE, "w")
    assert claim is not None and store.since() == ONE
    store.checkpoints.finish(claim, JobResult(WORDS, "a summary", "fake"))
    assert store.since() == ONE


def test_each_step_of_a_recording_in_parts_is_told(store: Store) -> None:
    store.job("one", JobKind.LONG)
    whole = store.claims.claim("one", Stage.TRANSCRIBE, "w")
    assert whole is not None
    store.checkpoints.reroute(whole, JobKind.LONG)
    assert store.since() == ONE * 2
    whole = store.claims.claim("one", Stage.TRANSCRIBE, "w")
    assert whole is not None
    store.checkpoints.store_parts(
        whole, audio_key="k", audio_s=2.0, spans=[TimeSpan(0, 1), TimeSpan(1, 2)], warnings=()
    )
    assert store.since() == ONE * 2
    claims = [store.claims.claim("one", Stage.TRANSCRIBE, "w") for _ in range(2)]
    assert store.since() == [], "who holds a part until when is told to nobody"
    for claim in claims:
        assert claim is not None
        store.checkpoints.store_part(claim, WORDS, merge_transcripts)
        assert store.since() == ONE
    JobNotes(store.database, "one").put("key", "a note", TimeSpan(0.0, 1.0))
    assert store.since() == ONE


def test_leases_are_told_to_nobody(store: Store) -> None:
    store.job("one")
    claim = store.claims.claim("one", Stage.TRANSCRIBE, "w")
    assert claim is not None
    store.since()
    assert store.leases.renew(claim)
    assert store.leases.release(claim)
    store.claims.claim("one", Stage.TRANSCRIBE, "w")
    store.since()
    assert len(store.leases.release_all("w")) == 1
    assert store.since() == []


def test_a_failure_and_a_job_that_is_taken_back_are_told(store: Store) -> None:
    store.job("one")
    store.job("two")
    store.fail("one")
    assert store.since() == ONE
    assert store.checkpoints.fail_waiting("one", InternalError(), -1.0) is None
    assert store.since() == [], "it had failed before"
    store.records.delete("two")
    assert store.since() == [frozenset({"two"})]


def test_what_expires_is_told_by_name(store: Store) -> None:
    for task_id in ("one", "two", "three"):
        store.job(task_id)
    for task_id in ("one", "two"):
        store.fail(task_id)
    store.since()
    assert store.records.erase_expired(3600) == 0
    assert store.since() == [], "nothing has changed"
    assert store.records.erase_expired(-1) == 2
    assert store.since() == [frozenset({"one", "two"})]
    assert store.records.delete_tombstones(-1) == 2
    assert store.since() == [frozenset({"one", "two"})]


def test_a_write_that_names_no_job_may_be_about_any(store: Store) -> None:
    store.job("one")
    for condition in (jobs.c.state == "queued", (jobs.c.task_id == "one") | (jobs.c.state == "queued")):
        with store.database.write() as connection:
            connection.execute(update(jobs).where(condition).values(title="new"))
        assert store.since() == [None]
    with store.database.write() as connection:
        connection.execute(update(facts).values(value="x"))
    assert store.since() == [], "no answer is made of it"


def test_a_write_that_is_taken_back_is_not_told(store: Store) -> None:
    store.job("one")
    claim = store.claims.claim("one", Stage.TRANSCRIBE, "w")
    assert claim is not None
    store.checkpoints.fail("one", InternalError(), claim)
    store.since()
    with contextlib.suppress(StaleAttempt):
        store.checkpoints.store_transcript(claim, WORDS, audio_s=1.0, warnings=())
    assert store.since() == []
