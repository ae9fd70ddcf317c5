"""Chunks join their streams: each once, in its place, whoever dies or writes beside; on both databases."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update

from streametrics.database import stream_joining
from streametrics.database.engine import Database, now
from streametrics.database.erasure import Erasure
from streametrics.database.stream_joining import StreamJoining
from streametrics.database.stream_tables import streams as stream_table
from streametrics.database.tables import jobs
from streametrics.domain.job import JobKind, JobRequest, JobState
from streametrics.domain.status import JobResult
from streametrics.errors import JobCancelled
from streametrics.jobs import joining
from streametrics.jobs.joining import Joining
from streametrics.streams.coverage import ChunkState
from streametrics.streams.streamer_keys import key_in_path
from streametrics.streams.times import Clock
from tests.support.streams import Streams, said


def offset(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def test_chunks_become_one_stream(streams: Streams) -> None:
    # Given three chunks, the name written in two ways
    sent = [
        streams.chunk("the first words", time=offset(600), ago_s=90),
        streams.chunk("the second words", time=offset(630), ago_s=60, streamer="ZOÉ_tv"),
        streams.chunk("the last words", time=offset(690), ago_s=0, title="Endgame", language="fr"),
    ]
    assert streams.join() == 3
    (stream,) = streams.all()
    assert stream.id.startswith("strm_")
    assert (stream.streamer_key, stream.streamer, stream.title) == ("zoé_tv", "Zoé_TV", "Endgame")
    assert (stream.timeline.clock, stream.timeline.zero) == (Clock.OFFSET, 600)
    assert (stream.summary_languages, stream.speech_language) == (("en", "fr"), "en")
    assert streams.spans(stream) == [(0, 30), (30, 60), (90, 120)]
    assert streams.texts(stream) == ["the first words", "the second words", "the last words"]
    found = streams.records.segments(stream.number, start_s=0, end_s=1000)
    assert [each.task_id for each in found] == sent
    assert [each.number for each in found] == [0, 1, 2]
    assert [word.start for word in found[1].segment.words] == [30.0, 30.5, 31.0]
    # Expect each to know its stream, and no second round to find anything
    with streams.database.read() as connection:
        assert set(connection.execute(select(jobs.c.session_id)).scalars()) == {stream.id}
    assert streams.join() == 0
    assert streams.rows() == (3, 3, 3)


def test_each_owner_and_streamer_has_streams_of_its_own(streams: Streams) -> None:
    for owner, streamer in (("a", "Ada"), ("a", "Bob"), ("b", "Ada")):
        streams.chunk("some words here", owner=owner, streamer=streamer)
    streams.join()
    assert [(stream.owner, stream.streamer) for stream in streams.all()] == [("a", "Ada"), ("a", "Bob"), ("b", "Ada")]
    assert len(streams.all("a")) == 2


@pytest.mark.parametrize("name", ["\ufdfa" * 200, "a/b?c#d", "..", "𝕏𐍈東京" * 50, "  ", "%2F~"])
def test_a_name_in_any_script_has_a_stream(name: str, streams: Streams) -> None:
    for at in (0, 30):
        streams.chunk(f"said at {at} here", streamer=name, time=offset(at), ago_s=30 - at)
    assert streams.join() == 2
    (stream,) = streams.all()
    assert stream.streamer == name
    assert streams.records.newest("local", key_in_path(stream.streamer_key)) == stream


def test_what_is_no_chunk_joins_nothing(streams: Streams) -> None:
    streams.chunk("a recording", kind=JobKind.LONG)
    streams.chunk("of another route", joins_stream=None)
    streams.chunk(None)  # could not be read, and no stream is there
    streams.chunk("", state=JobState.FAILED, error_code=JobCancelled.code, transcript=None)
    streams.chunk("erased", erased_at=1.0)
    streams.join()
    assert streams.all() == []
    assert streams.rows() == (0, 0, 0)
    assert streams.to_join() == 1  # the recording's, which nobody looks at


def test_it_can_be_turned_off(url: str) -> None:
    with contextlib.closing(Database(url)) as opened:
        streams = Streams(opened, {"stream_memory": False})
        streams.chunk("some words here")
        assert streams.join() == 0
        assert streams.all() == []


def test_words_are_not_kept_where_they_are_to_be_kept_for_no_time(url: str) -> None:
    with contextlib.closing(Database(url)) as opened:
        streams = Streams(opened, {"stream_transcript_days": 0})
        streams.chunk("some words here")
        streams.join()
        assert streams.rows() == (1, 0, 0)
        assert not streams.all()[0].has_words


def test_the_same_sound_again_adds_no_words(streams: Streams) -> None:
    for ago_s, at in ((60, 0), (30, 30), (25, 30)):
        streams.chunk(f"what is said at {at}", time=offset(at), ago_s=ago_s)
        streams.join()
    (stream,) = streams.all()
    assert streams.texts(stream) == ["what is said at 0", "what is said at 30"]
    assert streams.spans(stream) == [(0, 30), (30, 60), (30, 60)]


def test_short_answers_are_not_taken_for_the_same_sound(streams: Streams) -> None:
    for number, words in enumerate(("yes", "", "yes", "", "no")):
        streams.chunk(words, ago_s=150 - 30 * number)
    streams.join()
    (stream,) = streams.all()
    assert streams.texts(stream) == ["yes", "yes", "no"]
    assert len(set(streams.spans(stream))) == 5


def test_a_failed_chunk_is_known_by_its_place(streams: Streams) -> None:
    streams.chunk("before it failed", time=offset(0), ago_s=90)
    streams.chunk(None, time=offset(30), ago_s=60)
    streams.chunk("after it failed", time=offset(60), ago_s=30)
    streams.join()
    (stream,) = streams.all()
    extents = streams.records.extents(stream.number)
    assert [(each.start_s, each.state) for each in extents] == [
        (0, ChunkState.HEARD),
        (30, ChunkState.FAILED),
        (60, ChunkState.HEARD),
    ]


def test_a_summary_that_failed_leaves_the_words(streams: Streams) -> None:
    streams.chunk("somebody said this", state=JobState.FAILED, error_code="model_server_timeout")
    streams.join()
    assert streams.texts(streams.all()[0]) == ["somebody said this"]


def test_a_result_of_the_version_before_has_words_without_times(streams: Streams) -> None:
    result = JobResult(said("as it was"), "a summary", "extractive")
    request = JobRequest(streamer="Zoé_TV", language="en", game="", time="", title="")
    streams.chunk("", transcript=None, result=result.to_json(request))
    streams.join()
    assert streams.texts(streams.all()[0]) == ["as it was"]


@pytest.mark.parametrize("how", ["idle", "ended", "offset falls back"])
def test_another_stream_begins(how: str, streams: Streams) -> None:
    streams.chunk("the old broadcast", time=offset(3600), ago_s=8000 if how == "idle" else 200)
    streams.join()
    if how == "ended":
        streams.records.end(streams.all()[0].number)
        at = (3630, 3660)
    else:
        at = (10, 40) if how == "offset falls back" else (3630, 3660)
    # Two in a row, so that an offset that has fallen back is believed
    streams.chunk("the new broadcast", time=offset(at[0]), ago_s=-1)
    streams.chunk("goes on here", time=offset(at[1]), ago_s=-31)
    streams.join()
    old, new = streams.all()
    assert streams.texts(old) == ["the old broadcast"]
    assert streams.texts(new) == ["the new broadcast", "goes on here"]
    assert old.ended_at is not None and new.ended_at is None


def test_one_chunk_that_falls_back_is_late(url: str) -> None:
    with contextlib.closing(Database(url)) as opened:
        _one_falls_back(Streams(opened, {"stream_idle_min": 120}))


def _one_falls_back(streams: Streams) -> None:
    streams.chunk("at the beginning", time=offset(0), ago_s=3661)
    streams.chunk("far into it", time=offset(3600), ago_s=61)
    streams.join()
    # Given one that may be the first of another broadcast, expect it to wait for the next one
    streams.chunk("said long ago", time=offset(600), ago_s=30)
    streams.join()
    assert streams.texts(streams.all()[0]) == ["at the beginning", "far into it"]
    assert streams.to_join() == 1
    # When the next one goes on
    streams.chunk("and now this", time=offset(3660), ago_s=0)
    streams.join()
    (stream,) = streams.all()
    assert streams.texts(stream) == ["at the beginning", "said long ago", "far into it", "and now this"]


def test_a_chunk_that_was_sent_before_the_end_belongs_to_what_has_ended(streams: Streams) -> None:
    streams.chunk("the last but one", ago_s=60)
    streams.join()
    late = streams.chunk("the very last", ago_s=30, finished_at=None, state=JobState.TRANSCRIBING, transcript=None)
    streams.records.end(streams.all()[0].number)
    streams.finish(late, "the very last")
    streams.join()
    (stream,) = streams.all()
    assert streams.texts(stream) == ["the last but one", "the very last"]
    assert stream.ended_at is not None


def test_chunks_wait_for_those_that_were_sent_before(streams: Streams) -> None:
    # Given two without a time, of which the first one takes longer
    slow = streams.chunk("", ago_s=62, finished_at=None, state=JobState.TRANSCRIBING, transcript=None)
    streams.chunk("sent as the second", ago_s=15)
    streams.join()
    assert streams.all() == []
    streams.finish(slow, "sent as the first")
    streams.join()
    (stream,) = streams.all()
    assert streams.texts(stream) == ["sent as the first", "sent as the second"]


def test_not_for_ever(streams: Streams) -> None:
    streams.chunk("", ago_s=120, finished_at=None, state=JobState.TRANSCRIBING, transcript=None)
    streams.chunk("sent as the second", ago_s=90)
    streams.join()
    assert streams.texts(streams.all()[0]) == ["sent as the second"]


def test_a_job_that_is_deleted_takes_its_words_out(streams: Streams) -> None:
    sent = [streams.chunk(f"words of number {at}", time=offset(at), ago_s=90 - at) for at in (0, 30, 60)]
    streams.join()
    (before,) = streams.all()
    erasure = Erasure(streams.database)
    erasure.erase(sent[1])
    (stream,) = streams.all()
    assert streams.texts(stream) == ["words of number 0", "words of number 60"]
    assert streams.rows() == (3, 2, 2)
    assert streams.search.find([["30"]], None, limit=10) == []
    assert [each.state for each in streams.records.extents(stream.number)][1] is ChunkState.FORGOTTEN
    assert stream.state_version == before.state_version + 1
    # When its own result has expired before it is deleted, expect no less
    with streams.database.write() as connection:
        connection.execute(jobs.update().values(erased_at=1.0))
    erasure.erase(sent[2])
    assert streams.texts(stream) == ["words of number 0"]
    # And a second time changes nothing
    version = streams.all()[0].state_version
    erasure.erase(sent[2])
    assert streams.all()[0].state_version == version


def test_a_job_that_is_deleted_before_it_has_joined_joins_nothing(streams: Streams) -> None:
    task_id = streams.chunk("never to be seen")
    waiting = streams.joining._records.waiting(10)
    assert [each.task_id for each in waiting] == [task_id]
    Erasure(streams.database).erase(task_id)
    assert streams.join() == 0
    assert streams.rows() == (0, 0, 0)


def test_polls_stay_cached_while_a_stream_is_written(url: str) -> None:
    told: list[frozenset[str] | None] = []
    with contextlib.closing(Database(url, on_change=told.append)) as opened:
        streams = Streams(opened)
        for at in (0, 30):
            streams.chunk("some words here", time=offset(at), ago_s=60 - at)
        told.clear()
        assert streams.join() == 2
        streams.records.end(streams.all()[0].number)
        streams.erasure.erase(streams.all()[0].number)
        while streams.erasure.delete_erased(1, is_whole=True):
            pass
        streams.search.compact()
        assert told == []


class _Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("statement", range(1, 7))
def test_a_process_that_dies_while_it_joins_loses_no_chunk_and_joins_none_twice(
    statement: int, streams: Streams, url: str
) -> None:
    streams.chunk("there before it", time=offset(0), ago_s=60)
    streams.join()
    streams.chunk("joined by another", time=offset(30), ago_s=30)
    writes = 0

    def die(_: object, __: object, sql: str, *___: object) -> None:
        nonlocal writes
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            writes += 1
            if writes == statement:
                raise _Killed

    with contextlib.closing(Database(url)) as dying:
        event.listen(dying.engine, "before_cursor_execute", die)
        with contextlib.suppress(_Killed):
            Streams(dying).join()
    # Expect it to take at most six writes, and another process to find all or nothing
    assert writes == min(statement, 5)
    assert streams.join() == (1 if statement <= 5 else 0)
    (stream,) = streams.all()
    assert streams.texts(stream) == ["there before it", "joined by another"]
    assert streams.rows() == (2, 2, 2)


def test_a_chunk_costs_at_most_eight_statements(streams: Streams) -> None:
    streams.chunk("there before it", time=offset(0), ago_s=60)
    streams.join()
    streams.chunk("joined by another", time=offset(30), ago_s=30)
    statements: list[str] = []
    event.listen(
        streams.database.engine, "before_cursor_execute", lambda _, __, sql, *___: statements.append(sql.split()[0])
    )
    assert streams.join() == 1
    assert [each for each in statements if each not in ("BEGIN", "COMMIT")] == [
        *("SELECT", "SELECT", "SELECT"),
        *("UPDATE", "UPDATE", "INSERT", "INSERT", "INSERT"),
    ]


def test_two_processes_on_one_stream_lose_nothing(url: str) -> None:
    # Given chunks of two streamers, and processes that all look at the same time
    count = 30
    with contextlib.ExitStack() as stack:
        databases = [stack.enter_context(contextlib.closing(Database(url))) for _ in range(3)]
        streams = Streams(databases[0])
        for number in range(count):
            for streamer in ("Ada", "Bob"):
                at = number * 30
                streams.chunk(f"number {number} of it", time=offset(at), ago_s=count * 30 - at, streamer=streamer)
        begin = threading.Barrier(len(databases))

        def work(opened: Database) -> int:
            joining = Joining(StreamJoining(opened), streams.settings)
            begin.wait()
            return sum(joining.round() for _ in range(20))

        with ThreadPoolExecutor(len(databases)) as pool:
            list(pool.map(work, databases))
        streams.join()
        assert streams.to_join() == 0
        found = streams.all()
        assert [(stream.streamer, stream.state_version) for stream in found] == [("Ada", count), ("Bob", count)]
        for stream in found:
            assert streams.texts(stream) == [f"number {number} of it" for number in range(count)]
            assert streams.spans(stream) == [(number * 30, number * 30 + 30) for number in range(count)]


def test_a_writer_that_was_overtaken_changes_nothing_and_tries_again(
    streams: Streams, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams.chunk("there before it", time=offset(0), ago_s=90)
    streams.join()
    streams.chunk("the second words", time=offset(30), ago_s=60)
    find, overtaken = StreamJoining.find, []

    def find_and_be_overtaken(self: StreamJoining, *arguments: Any, **how: Any) -> object:
        found = find(self, *arguments, **how)
        if not overtaken:
            overtaken.append(True)
            with contextlib.closing(Database(url)) as other:
                streams.chunk("the third words", time=offset(60), ago_s=30, received_at=1.0, finished_at=1.0)
                with other.write() as connection:
                    _raise_version(connection)
        return found

    monkeypatch.setattr(stream_joining.StreamJoining, "find", find_and_be_overtaken)
    streams.join()
    monkeypatch.undo()
    streams.join()
    (stream,) = streams.all()
    assert overtaken
    assert sorted(streams.texts(stream)) == ["the second words", "the third words", "there before it"]
    assert streams.rows() == (3, 3, 3)


def _raise_version(connection: Connection) -> None:
    from streametrics.database.stream_tables import streams as table

    connection.execute(table.update().values(state_version=table.c.state_version + 1))


def test_a_slow_chunk_joins_the_broadcast_that_was_live_when_it_came(streams: Streams) -> None:
    # Given one that is still in work when the next broadcast has begun
    streams.chunk("of the first broadcast", ago_s=200)
    streams.join()
    slow = streams.chunk("", ago_s=170, finished_at=None, state=JobState.TRANSCRIBING, transcript=None)
    (first,) = streams.all()
    with streams.database.write() as connection:
        ended = {"ended_at": now() - 160, "state_version": stream_table.c.state_version + 1}
        connection.execute(update(stream_table).values(ended))
    streams.chunk("of the second one", ago_s=100)
    streams.join()
    # When it is done, expect its words in its own broadcast
    streams.finish(slow, "said before the end")
    streams.join()
    texts = {stream.number == first.number: streams.texts(stream) for stream in streams.all()}
    assert texts == {True: ["of the first broadcast", "said before the end"], False: ["of the second one"]}


def test_many_chunks_in_work_hold_up_nobody_elses(streams: Streams) -> None:
    for _ in range(510):
        streams.chunk("", ago_s=60, finished_at=None, state=JobState.TRANSCRIBING, transcript=None, streamer="busy")
    streams.chunk("has ended already", streamer="quick")
    assert streams.join() == 1


def test_a_chunk_that_cannot_be_kept_holds_up_no_other_and_shows_no_words(
    streams: Streams, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a first chunk whose rows the database refuses
    monkeypatch.setattr(joining, "RETRY_AFTER_S", 0.0)
    streams.chunk("my secret number", ago_s=60)
    streams.chunk("a good one", ago_s=30)
    monkeypatch.setattr(joining, "heard", broken_for("my secret number", joining.heard))
    assert streams.join() == 1
    assert streams.texts(streams.all()[0]) == ["a good one"]
    for _ in range(joining.MOST_FAILURES):
        streams.join()
    # Expect it to be given up, and its words to be in no log
    assert streams.to_join() == 0
    assert "event=never_joined" in caplog.text
    assert "secret" not in caplog.text


def broken_for(words: str, heard: Any) -> Any:
    """`heard`, with a place that no column takes for the chunk with these words."""

    def call(task_id: str, transcript: Any, *rest: Any, **how: Any) -> Any:
        made = heard(task_id, transcript, *rest, **how)
        return replace(made, start_s=None) if transcript.text == words else made

    return call
