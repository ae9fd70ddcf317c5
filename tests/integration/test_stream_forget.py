"""What is forgotten is gone from every view, does not come back, and is found in no file afterwards."""

import contextlib
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from streametrics.auth.principal import LOCAL, Principal, Scope
from streametrics.database.engine import Database, now
from streametrics.database.sqlite import sqlite_file
from streametrics.database.stream_tables import stream_segments
from streametrics.database.tables import jobs
from streametrics.domain.job import JobKind, JobState
from streametrics.domain.transcript import TimeSpan
from streametrics.errors import InvalidRequest, JobCancelled, StreamErased, StreamTooShort, StreamUnknown
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.maintenance import TimeGaps
from streametrics.jobs.retention import Retention
from streametrics.jobs.stream_control import StreamControl
from streametrics.jobs.streams import StreamService, TimesFrom
from tests.support.streams import Streams, said

SECRET = "kryptonite"


@pytest.fixture
def service(connections: Connections) -> StreamService:
    return StreamService(connections)


def words(service: StreamService, stream_id: str) -> list[str]:
    found = service.transcript(stream_id, LOCAL, times=TimesFrom.UPLOAD, start_s=None, end_s=None)
    return [each.segment.text for each in found.segments]


def row(streams: Streams, task_id: str) -> Any:
    with streams.database.read() as connection:
        return connection.execute(select(jobs).where(jobs.c.task_id == task_id)).one()


def hits(streams: Streams, word: str) -> list[str]:
    return [hit.found.segment.text for hit in streams.search.find([[word]], None, limit=50)]


def gaps(service: StreamService, stream_id: str) -> list[tuple[float, float, str]]:
    coverage = service.coverage(service.get(stream_id, LOCAL))
    return [(gap.start_s, gap.end_s, gap.reason.value) for gap in coverage.gaps]


def begun(streams: Streams) -> tuple[str, list[str]]:
    """A stream of three chunks, with a secret in the second one, from 31.0 s to 31.5 s."""
    sent = [
        streams.chunk("the first words", time="00:00:00", ago_s=200),
        streams.chunk(f"mine is {SECRET} do not tell", time="00:00:30", ago_s=170, result={"text": SECRET}),
        streams.chunk("the third words", time="00:01:00", ago_s=140),
    ]
    streams.join()
    (stream,) = streams.all()
    return stream.id, sent


def test_a_stretch_is_gone_from_every_view(streams: Streams, service: StreamService, control: StreamControl) -> None:
    stream_id, sent = begun(streams)
    before = service.get(stream_id, LOCAL).state_version
    began = time.monotonic()
    done = control.forget(stream_id, LOCAL, start_s=31.2, end_s=31.3)
    assert time.monotonic() - began < 1
    assert (done.start_s, done.end_s, done.segments, done.jobs) == (31.2, 31.3, 1, 1)
    # Expect the word to be gone, what was said around it to be two segments, and the others to be as they were
    assert words(service, stream_id) == ["the first words", "mine is", "do not tell", "the third words"]
    assert hits(streams, SECRET) == []
    assert hits(streams, "tell") == ["do not tell"]
    assert hits(streams, "mine") == ["mine is"]
    assert gaps(service, stream_id) == [(31.2, 31.3, "forgotten")]
    assert service.get(stream_id, LOCAL).state_version > before
    # And the chunk's own result, with its summary, as well
    assert [row(streams, task_id).erased_at is not None for task_id in sent] == [False, True, False]
    assert row(streams, sent[1]).result is row(streams, sent[1]).transcript is None
    # A second time changes nothing
    again = control.forget(stream_id, LOCAL, start_s=31.2, end_s=31.3)
    assert (again.segments, again.jobs) == (0, 0)
    assert words(service, stream_id) == ["the first words", "mine is", "do not tell", "the third words"]


def test_a_forgotten_chunk_counts_for_nothing(streams: Streams, service: StreamService, control: StreamControl) -> None:
    stream_id, sent = begun(streams)
    control.forget(stream_id, LOCAL, start_s=29, end_s=61)
    assert words(service, stream_id) == ["the first words", "words"]
    assert gaps(service, stream_id) == [(29, 61, "forgotten")]
    coverage = service.coverage(service.get(stream_id, LOCAL))
    assert (coverage.missing_s, coverage.received_s, coverage.speech_s) == (32, 58, 2.0)
    assert [row(streams, task_id).erased_at is not None for task_id in sent] == [False, True, True]


def test_what_comes_late_joins_without_it(streams: Streams, service: StreamService, control: StreamControl) -> None:
    stream_id, _ = begun(streams)
    # Given one in work whose place is known, and a stretch that reaches over it
    slow = streams.chunk("", time="00:01:30", ago_s=100, finished_at=None, state=JobState.TRANSCRIBING, transcript=None)
    done = control.forget(stream_id, LOCAL, start_s=91, end_s=100)
    # Expect it to be stopped: its sound and its result hold the words
    assert done.jobs == 1
    assert row(streams, slow).error_code == JobCancelled.code
    # And one that is sent only now to join with its other words, without its own result
    late = streams.chunk("it was clandestine as I said", time="00:01:30", ago_s=1)
    assert streams.join() == 1
    assert words(service, stream_id)[3:] == ["it was"]
    assert hits(streams, "clandestine") == []
    assert row(streams, late).erased_at is not None and row(streams, late).transcript is None
    assert gaps(service, stream_id) == [(91, 100, "forgotten")]


def test_a_chunk_in_work_is_told_as_forgotten(streams: Streams, service: StreamService, control: StreamControl) -> None:
    stream_id, _ = begun(streams)
    streams.chunk("", time="00:01:30", ago_s=100, finished_at=None, state=JobState.TRANSCRIBING, transcript=None)
    control.forget(stream_id, LOCAL, start_s=91, end_s=100)
    streams.chunk("the fifth words", time="00:02:00", ago_s=80)
    assert streams.join() == 1
    assert gaps(service, stream_id) == [(90, 120, "forgotten")]


def test_the_last_seconds_reach_up_to_now(streams: Streams, service: StreamService, control: StreamControl) -> None:
    # Given a chunk that came ten seconds ago, and what was said since, which is not sent yet
    streams.chunk("said long ago", time="00:00:00", ago_s=40)
    streams.chunk(f"I live in {SECRET}", time="00:00:30", ago_s=10)
    streams.join()
    (stream,) = streams.all()
    done = control.forget(stream.id, LOCAL, last_s=41)
    assert done.start_s == pytest.approx(29, abs=2) and done.end_s == pytest.approx(75, abs=2)
    assert words(service, stream.id) == ["said long ago"]
    streams.chunk(f"in {SECRET} street", time="00:01:00")
    streams.join()
    assert hits(streams, SECRET) == []
    # Of one that has ended they are its own last ones
    service.end(stream.id, LOCAL)
    assert control.forget(stream.id, LOCAL, last_s=95).start_s == 0
    assert words(service, stream.id) == []


def test_what_was_made_of_a_chunk_goes_with_it(streams: Streams, control: StreamControl) -> None:
    stream_id, sent = begun(streams)
    # Given one that summarizes it anew, another one of that, and the same sound sent again
    child = add_resummarized(streams, sent[1])
    grandchild = add_resummarized(streams, child, state=JobState.SUMMARIZING, finished_at=None)
    twin = streams.chunk(f"mine is {SECRET} do not tell", time="00:00:30", ago_s=120)
    streams.join()
    control.forget(stream_id, LOCAL, start_s=31, end_s=32)
    for task_id in (child, twin):
        assert row(streams, task_id).erased_at is not None and row(streams, task_id).transcript is None
    assert row(streams, grandchild).error_code == JobCancelled.code and row(streams, grandchild).transcript is None


def add_resummarized(streams: Streams, parent: str, **values: Any) -> str:
    task_id = str(uuid.uuid4())
    texts = dict.fromkeys(("streamer", "language", "game", "time_raw", "title"), "")
    row = {"task_id": task_id, "owner": "local", "kind": JobKind.LONG, "state": JobState.DONE, "warnings": [], **texts}
    row |= {"received_at": now(), "finished_at": now(), "parent_task_id": parent}
    row |= {"transcript": said(SECRET).to_json(), **values}
    with streams.database.write() as connection:
        connection.execute(insert(jobs).values(row))
    return task_id


def test_the_same_sound_again_does_not_bring_it_back(
    streams: Streams, service: StreamService, control: StreamControl
) -> None:
    # Given chunks that are placed by when they come
    streams.chunk("the first words", ago_s=60)
    streams.chunk(f"mine is {SECRET} do not tell", ago_s=30)
    streams.join()
    (stream,) = streams.all()
    control.forget(stream.id, LOCAL, start_s=31, end_s=31.3)
    again = streams.chunk(f"mine is {SECRET} do not tell", ago_s=0)
    streams.join()
    assert words(service, stream.id) == ["the first words", "mine is", "do not tell"]
    assert row(streams, again).erased_at is not None and row(streams, again).transcript is None


def test_who_dies_over_it_leaves_the_rest_to_retention(
    streams: Streams, service: StreamService, connections: Connections, control: StreamControl
) -> None:
    stream_id, sent = begun(streams)
    stream = service.get(stream_id, LOCAL)
    # Given a process that dies when the stretch is remembered
    connections.redaction.remember(stream, TimeSpan(31, 32), [])
    assert hits(streams, SECRET) != []
    Retention(connections, JobLifecycle(connections), gaps=TimeGaps(60)).round()
    assert hits(streams, SECRET) == []
    assert connections.redaction.pending(stream.number) is None
    assert row(streams, sent[1]).erased_at is not None


def test_two_at_once_bring_no_word_back(streams: Streams, service: StreamService, connections: Connections) -> None:
    stream_id, _ = begun(streams)
    stream = service.get(stream_id, LOCAL)
    # Given two stretches of one segment, remembered before either is carried out
    connections.redaction.remember(stream, TimeSpan(30, 30.4), [])
    connections.redaction.remember(service.get(stream_id, LOCAL), TimeSpan(31, 31.4), [])
    connections.redaction.carry_out(stream.number)
    connections.redaction.carry_out(stream.number)
    assert words(service, stream_id) == ["the first words", "is", "do not tell", "the third words"]


def test_a_long_stretch_goes_in_many_transactions(
    streams: Streams, service: StreamService, control: StreamControl
) -> None:
    for number in range(330):
        streams.chunk(
            f"words of number {number}", time=f"{number // 120:02}:{number // 2 % 60:02}:{number % 2 * 30:02}"
        )
    streams.join()
    (stream,) = streams.all()
    began = time.monotonic()
    done = control.forget(stream.id, LOCAL, start_s=60, end_s=60 + 300 * 30)
    assert time.monotonic() - began < 5
    assert (done.segments, done.jobs) == (300, 300)
    assert [text.split()[-1] for text in words(service, stream.id)] == ["0", "1", *map(str, range(302, 330))]
    assert streams.rows() == (330, 30, 30)


def test_it_is_the_owners_say(streams: Streams, control: StreamControl) -> None:
    stream_id, _ = begun(streams)
    for foreign in (Principal("ada", Scope.SUBMIT), Principal("bob", Scope.READ)):
        with pytest.raises(StreamUnknown):
            control.forget(stream_id, foreign, last_s=10)
    with pytest.raises(InvalidRequest, match="exchange"):
        control.forget(stream_id, LOCAL, start_s=5, end_s=5)
    with pytest.raises(StreamTooShort, match="pause the stream"):
        control.forget(stream_id, LOCAL, start_s=5_000, end_s=6_000)
    streams.erasure.erase(1)
    with pytest.raises(StreamErased):
        control.forget(stream_id, LOCAL, last_s=10)


def test_no_file_holds_what_was_forgotten(
    streams: Streams, url: str, connections: Connections, control: StreamControl
) -> None:
    file = sqlite_file(url)
    if file is None:
        pytest.skip("PostgreSQL's files are its own")
    # Given words that were moved in the file as others came, were changed, and erased
    for number in range(400):
        secret = SECRET if number % 7 == 3 else "nothing"
        streams.chunk(f"{secret} of number {number} " * 9, ago_s=30 * (400 - number), result={"text": secret * 40})
        if number % 20 == 0:
            streams.join()
    streams.join()
    with streams.database.write() as connection:
        connection.execute(update(stream_segments).values(start_s=stream_segments.c.start_s + 0.0))
    (stream,) = streams.all()
    streams.records.end(stream.number)
    assert found_in(file) > 0
    # When they are forgotten, and the database is compacted, while others have it open
    with contextlib.closing(Database(url)) as other, other.read() as reading:
        reading.execute(select(jobs.c.task_id)).all()
        control.forget(stream.id, LOCAL, last_s=1e9)
        connections.stream_search.compact()
    connections.stream_search.compact()
    # Expect neither the file nor its log to hold one of them
    assert found_in(file) == 0
    assert not connections.stream_search.compact()


def found_in(file: Path) -> int:
    """How often the secret stands in a database's files, as text or as any word of the index."""
    connection_files = [file, *file.parent.glob(f"{file.name}-*")]
    return sum(each.read_bytes().lower().count(SECRET[1:].encode()) for each in connection_files)


def test_compaction_is_done_once(streams: Streams, connections: Connections, control: StreamControl) -> None:
    stream_id, _ = begun(streams)
    assert not connections.stream_search.compact()
    control.forget(stream_id, LOCAL, start_s=31, end_s=32)
    assert connections.stream_search.compact()
    assert not connections.stream_search.compact()
    assert hits(streams, "third") == ["the third words"]
