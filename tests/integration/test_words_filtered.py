"""Words that an engine invented are counted over the parts of a recording, and its result says so."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from streametrics.database.checkpoints import Checkpoints
from streametrics.database.engine import Database
from streametrics.database.jobs import JobRecords
from streametrics.domain.job import JobKind, JobRequest, Stage, Warn
from streametrics.domain.transcript import FilterReason, Segment, TimeSpan, Transcript, merge_transcripts
from tests.support.jobs import SingleClaims
from tests.support.stack import database

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
TRUNCATED = Warn("audio_truncated", "The file is cut off.")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Database]:
    with database(tmp_path) as url:
        made = Database(url)
        yield made
        made.close()


def heard(**left_out: int) -> Transcript:
    segments = (Segment(0.0, 1.0, "word"),)
    return Transcript(segments, "en", {FilterReason(reason): words for reason, words in left_out.items()})


def test_the_parts_of_a_recording_add_up(opened: Database) -> None:
    # Given a recording in three parts that is cut off in the middle
    records, checkpoints = JobRecords(opened), Checkpoints(opened)
    claims = SingleClaims(opened, lease_s=60, deadline_s=600)
    task_id = str(uuid.uuid4())
    records.insert(task_id, REQUEST, owner="local", kind=JobKind.LONG, audio_key="key", container="wav")
    whole = claims.claim(task_id, Stage.TRANSCRIBE, "worker")
    assert whole is not None
    spans = [TimeSpan(0.0, 60.0), TimeSpan(60.0, 120.0), TimeSpan(120.0, 150.0)]
    checkpoints.store_parts(whole, audio_key="pcm", audio_s=150.0, spans=spans, warnings=(TRUNCATED,))

    # When words were left out in two of them
    for transcript in (heard(nobody=3, loop=2), heard(), heard(nobody=1)):
        claim = claims.claim(task_id, Stage.TRANSCRIBE, "worker")
        assert claim is not None
        checkpoints.store_part(claim, transcript, merge_transcripts)

    # Expect one warning for all, beside the other
    summary = claims.claim(task_id, Stage.SUMMARIZE, "worker")
    assert summary is not None
    assert summary.warnings == (
        TRUNCATED,
        Warn("words_filtered", "6 words were left out as invented: 4 where nobody speaks, 2 repeated in a loop."),
    )


def test_a_chunk_whose_only_word_was_invented_says_so(opened: Database) -> None:
    records, claims = JobRecords(opened), SingleClaims(opened, lease_s=60, deadline_s=600)
    task_id = str(uuid.uuid4())
    records.insert(task_id, REQUEST, owner="local", kind=JobKind.LIVE, audio_key="key", container="wav")
    claim = claims.claim(task_id, Stage.TRANSCRIBE, "worker")
    assert claim is not None

    nothing = Transcript((), None, {FilterReason.GUESS: 1})
    Checkpoints(opened).store_transcript(claim, nothing, audio_s=30.0, warnings=())

    record = records.get(task_id)
    assert record is not None
    assert [warning.code for warning in record.warnings] == ["words_filtered"]
    assert record.warnings[0].message.startswith("1 word was left out as invented: 1 only guessed")
