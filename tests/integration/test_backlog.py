"""What waits, counted from the rows of a real database."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from streametrics.database.backlog import Backlog, BacklogReader
from streametrics.database.checkpoints import Checkpoints
from streametrics.database.engine import Database
from streametrics.database.jobs import JobRecords
from streametrics.database.leases import Leases
from streametrics.domain.job import JobKind, JobRequest, QueueName, Stage
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import Segment, TimeSpan, Transcript
from tests.support.jobs import SingleClaims
from tests.support.stack import database

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
WORDS = Transcript((Segment(0.0, 1.0, "word"),), "en")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Database]:
    with database(tmp_path) as url, contextlib.closing(Database(url)) as made:
        yield made


def counts(opened: Database) -> tuple[int, int, int]:
    found = BacklogReader(opened).by_queue()
    return found[QueueName.LIVE].count, found[QueueName.LONG].count, found[QueueName.SUMMARIZE].count


def insert(opened: Database, task_id: str, kind: JobKind = JobKind.LIVE) -> None:
    JobRecords(opened).insert(task_id, REQUEST, owner="local", kind=kind, audio_key="k", container="wav")


def test_nothing_waits_in_an_empty_database(opened: Database) -> None:
    assert BacklogReader(opened).by_queue() == dict.fromkeys(QueueName, Backlog(0, 0.0))


def test_a_job_waits_in_one_queue_after_the_other_and_in_none_while_it_is_worked_on(opened: Database) -> None:
    claims, checkpoints = SingleClaims(opened, lease_s=10, deadline_s=600), Checkpoints(opened)
    insert(opened, "a")
    insert(opened, "b", JobKind.LONG)
    assert counts(opened) == (1, 1, 0)

    claim = claims.claim("a", Stage.TRANSCRIBE, "w")
    assert claim is not None
    assert counts(opened) == (0, 1, 0)

    checkpoints.store_transcript(claim, WORDS, audio_s=1.0, warnings=())
    assert counts(opened) == (0, 1, 1)

    claim = claims.claim("a", Stage.SUMMARIZE, "w")
    assert claim is not None
    assert BacklogReader(opened).in_work() == {Stage.TRANSCRIBE: 0, Stage.SUMMARIZE: 1}
    checkpoints.finish(claim, JobResult(WORDS, "a summary", "fake"))
    assert counts(opened) == (0, 1, 0)


def test_a_recording_in_parts_waits_by_its_parts(opened: Database) -> None:
    claims, checkpoints = SingleClaims(opened, lease_s=10, deadline_s=600), Checkpoints(opened)
    insert(opened, "a", JobKind.LONG)
    claim = claims.claim("a", Stage.TRANSCRIBE, "w")
    assert claim is not None
    checkpoints.store_parts(
        claim, audio_key="p", audio_s=3.0, spans=[TimeSpan(n, n + 1) for n in range(3)], warnings=()
    )
    assert counts(opened) == (0, 3, 0)

    assert claims.claim("a", Stage.TRANSCRIBE, "w") is not None
    assert counts(opened) == (0, 2, 0)
    assert BacklogReader(opened).in_work() == {Stage.TRANSCRIBE: 1, Stage.SUMMARIZE: 0}


def test_what_is_put_off_does_not_wait_and_the_age_is_of_the_oldest(opened: Database) -> None:
    claims = SingleClaims(opened, lease_s=10, deadline_s=600)
    insert(opened, "a")
    insert(opened, "b")
    with opened.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET received_at = received_at - 100 WHERE task_id = 'a'")
    assert 100 <= BacklogReader(opened).by_queue()[QueueName.LIVE].oldest_s < 200

    claim = claims.claim("a", Stage.TRANSCRIBE, "w")
    assert claim is not None and Leases(opened, lease_s=10).release(claim, after_s=600)
    assert counts(opened) == (1, 0, 0)
    assert BacklogReader(opened).by_queue()[QueueName.LIVE].oldest_s < 100
