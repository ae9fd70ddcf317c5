"""A job's row as it is put in: of an upload, and of a transcript that is summarized anew."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from streametrics.database.engine import Database
from streametrics.database.jobs import JobRecords
from streametrics.database.migrate import migrate
from streametrics.database.tables import jobs
from streametrics.domain.job import JobKind, JobRequest, JobState, Warn
from streametrics.domain.transcript import Segment, Transcript

REQUEST = JobRequest("ada", "it", "chess", "12", "a title", "en", "parent", "a-model", "be short")
WORDS = Transcript((Segment(0.0, 1.0, "word"),), "en")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'streametrics.db'}"
    migrate(url)
    opened = Database(url)
    yield opened
    opened.close()


def test_an_upload_is_put_in_with_all_that_was_asked(database: Database) -> None:
    records = JobRecords(database)
    records.insert("one", REQUEST, owner="bot", kind=JobKind.LIVE, audio_key="key", container="wav")

    found = records.get("one")
    assert found is not None
    assert (found.request, found.owner, found.kind, found.state) == (REQUEST, "bot", JobKind.LIVE, JobState.QUEUED)
    assert (found.transcript, found.warnings, found.container) == (None, (), "wav")
    assert records.keys_in_use() == {"key"}


@pytest.mark.parametrize(("track", "stored"), [("auto", None), ("mix", "mix"), ("2", "2")])
def test_a_track_is_stored_where_one_was_asked_for(database: Database, track: str, stored: str | None) -> None:
    """The version before does not know the column: it leaves it null, and passes over what stands there."""
    records = JobRecords(database)
    request = replace(REQUEST, track=track)
    records.insert("one", request, owner="bot", kind=JobKind.LIVE, audio_key="key", container="wav")

    found = records.get("one")
    assert found is not None
    assert found.request == request
    with database.read() as connection:
        assert connection.execute(select(jobs.c.track)).scalar_one() == stored


def test_a_transcript_is_put_in_to_be_summarized_anew(database: Database) -> None:
    records = JobRecords(database)
    cut_off = (Warn("audio_truncated", "The file is cut off."),)
    records.insert_resummarize("one", REQUEST, owner="bot", transcript=WORDS, warnings=cut_off)

    found = records.get("one")
    assert found is not None
    assert (found.request, found.owner, found.kind) == (REQUEST, "bot", JobKind.LONG)
    assert (found.state, found.transcript, found.warnings) == (JobState.TRANSCRIBED, WORDS, cut_off)
    assert records.keys_in_use() == set()


def test_both_are_received_and_sent_at_the_databases_time(database: Database) -> None:
    records = JobRecords(database)
    records.insert("one", REQUEST, owner="bot", kind=JobKind.LIVE, audio_key="key", container="wav")
    records.insert_resummarize("two", REQUEST, owner="bot", transcript=WORDS, warnings=())
    with database.read() as connection:
        rows = connection.execute(select(jobs.c.received_at, jobs.c.sent_at)).all()
    assert len(rows) == 2
    assert all(received == sent > 0 for received, sent in rows)
