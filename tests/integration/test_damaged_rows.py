"""A row whose stored JSON is damaged ends its own job with a sentence: no loop, and no end of a neighbor."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from streametrics.domain.job import JobKind, JobRequest, JobState, Stage
from streametrics.domain.transcript import Segment, TimeSpan, Transcript
from streametrics.errors import JobNotReady, StoredDataDamaged
from tests.support.jobs import Jobs
from tests.support.stack import Stack

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
WORDS = Transcript((Segment(0.0, 1.0, "words"),), "en")

#: JSON of another shape, which every database takes; and what is no JSON, which SQLite takes too.
SHAPES = ["7", "[1]", '{"segments": [{"start": "x"}], "language": null}', '{"segments": 1, "language": null}']
NO_JSON = ["", "{", '{"segments": [', "[" * 100_000]


@pytest.fixture
def jobs(fresh: Stack) -> Iterator[Jobs]:
    made = Jobs(fresh.own_settings())
    yield made
    made.close()


def accept(jobs: Jobs, kind: JobKind = JobKind.LIVE) -> str:
    key = jobs.connections.audio.writer().commit()
    return jobs.service.accept(REQUEST, kind=kind, audio_key=key, container="wav")


def damage(jobs: Jobs, task_id: str, column: str, value: str, table: str = "jobs") -> None:
    with jobs.connections.database.write() as connection:
        if connection.dialect.name == "postgresql" and value in NO_JSON:
            pytest.skip("PostgreSQL takes JSON only")
        connection.execute(
            text(f"UPDATE {table} SET {column} = CAST(:value AS {_json(jobs)}) WHERE task_id = :task_id"),
            {"value": value, "task_id": task_id},
        )


def _json(jobs: Jobs) -> str:
    return "JSON" if jobs.connections.database.engine.dialect.name == "postgresql" else "TEXT"


def expect_ended(jobs: Jobs, task_id: str) -> None:
    body = jobs.service.status(task_id).body()
    assert (body["status"], body["code"], body["error"]) == ("error", StoredDataDamaged.code, str(StoredDataDamaged()))
    assert jobs.claim(task_id, Stage.SUMMARIZE, "w") is None


@pytest.mark.parametrize("value", [*SHAPES, *NO_JSON], ids=lambda value: value[:20])
def test_a_damaged_transcript_ends_its_job_at_the_claim(jobs: Jobs, value: str) -> None:
    task_id = accept(jobs)
    claim = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    jobs.lifecycle.store_transcript(claim, WORDS, audio_s=1.0, warnings=())
    damage(jobs, task_id, "transcript", value)
    # Expect polls to say so at once, and the claim to end it for good
    expect_ended(jobs, task_id)
    record = jobs.connections.records.get(task_id)
    assert record is not None
    assert record.age_s is not None
    assert record.state is JobState.FAILED
    # And nothing that could be claimed, sent again, or waited for
    assert not any(backlog.count for backlog in jobs.connections.backlog.by_queue().values())


@pytest.mark.parametrize("value", ["7", '{"a": 1}', "[1]", "{"])
def test_damaged_warnings_end_their_job_and_no_neighbor(jobs: Jobs, value: str) -> None:
    first, damaged, last = (accept(jobs) for _ in range(3))
    damage(jobs, damaged, "warnings", value)
    claims = jobs.lifecycle.claim_together(first, Stage.TRANSCRIBE, "w", most=8)
    assert {claim.task_id for claim in claims} == {first, last}
    expect_ended(jobs, damaged)


@pytest.mark.parametrize("value", SHAPES)
def test_a_damaged_part_ends_its_recording(jobs: Jobs, value: str) -> None:
    task_id = accept(jobs, JobKind.LONG)
    claim = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    key = jobs.connections.audio.writer().commit()
    spans = [TimeSpan(0, 60), TimeSpan(60, 120)]
    jobs.lifecycle.store_parts(claim, audio_key=key, audio_s=120, spans=spans, warnings=())
    first, second = (jobs.claim(task_id, Stage.TRANSCRIBE, "w") for _ in spans)
    assert first is not None
    assert second is not None
    jobs.lifecycle.store_part(first, WORDS)
    with jobs.connections.database.write() as connection:
        connection.execute(
            text(f"UPDATE parts SET transcript = CAST(:value AS {_json(jobs)}) WHERE part_index = 0"), {"value": value}
        )
    with pytest.raises(StoredDataDamaged) as damaged:
        jobs.lifecycle.store_part(second, WORDS)
    jobs.lifecycle.fail(task_id, damaged.value, second)
    expect_ended(jobs, task_id)


@pytest.mark.parametrize("value", ["7", "{}", '{"segments": 1, "speech_language": "en"}', "{"])
def test_a_damaged_result_is_an_error_and_not_an_internal_one(jobs: Jobs, value: str) -> None:
    task_id = accept(jobs)
    damage(jobs, task_id, "result", value)
    with jobs.connections.database.write() as connection:
        connection.execute(text("UPDATE jobs SET state = 'done', finished_at = 4e9"))
    assert jobs.service.status(task_id).body()["status"] in ("done", "error")
    with pytest.raises(JobNotReady):
        jobs.service.resummarize(task_id, language=None, model=None, extra_instruction="")
