"""A streamer that has paused is not heard: its chunks join as such, its stream says so, over ends and restarts."""

import contextlib

import pytest
from sqlalchemy import update

from streametrics.auth.principal import LOCAL, Principal, Scope
from streametrics.database.engine import Database
from streametrics.database.stream_tables import streams as streams_table
from streametrics.database.streamers import Streamers
from streametrics.domain.job import JobKind, JobRequest, JobState, Stage
from streametrics.domain.warnings import PAUSED
from streametrics.errors import StreamEnded, StreamErased, StreamUnknown
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.stream_control import StreamControl
from streametrics.jobs.streams import StreamService
from tests.support.streams import Streams

AS_PAUSED = {"warnings": [PAUSED.to_json()], "audio_s": None}


@pytest.fixture
def service(connections: Connections) -> StreamService:
    return StreamService(connections)


def begun(streams: Streams) -> str:
    streams.chunk("before the pause", time="00:00:00", ago_s=200)
    streams.join()
    return streams.all()[-1].id


def gaps(service: StreamService, stream_id: str) -> list[tuple[float, float, str]]:
    coverage = service.coverage(service.get(stream_id, LOCAL))
    return [(gap.start_s, gap.end_s, gap.reason.value) for gap in coverage.gaps]


def test_chunks_of_a_pause_are_a_gap_that_says_so(
    streams: Streams, service: StreamService, control: StreamControl
) -> None:
    stream_id = begun(streams)
    control.pause(stream_id, LOCAL)
    for number in (1, 2):
        streams.chunk("", time=f"00:0{number // 2}:{number % 2 * 30:02}", ago_s=170 - 30 * number, **AS_PAUSED)
    streams.join()
    assert gaps(service, stream_id) == [(30, 90, "paused")]
    control.resume(stream_id, LOCAL)
    streams.chunk("after the pause", time="00:01:30")
    streams.join()
    (stream,) = streams.all()
    assert gaps(service, stream_id) == [(30, 90, "paused")]
    assert streams.texts(stream) == ["before the pause", "after the pause"]
    assert service.coverage(stream).received_s == 60


def test_chunks_without_a_time_take_their_place(
    streams: Streams, service: StreamService, control: StreamControl
) -> None:
    for number, words in enumerate(["one two three", "", "", "four five six"]):
        streams.chunk(words, ago_s=120 - 30 * number, **(AS_PAUSED if not words else {}))
    streams.join()
    (stream,) = streams.all()
    assert streams.spans(stream) == [(0, 30), (30, 60), (60, 90), (90, 120)]
    assert gaps(service, stream.id) == [(30, 90, "paused")]


def test_who_sends_nothing_in_a_pause_is_not_missed(
    streams: Streams, service: StreamService, control: StreamControl
) -> None:
    # Given a pause that begins when the stream stands at 230 s, and ends at 290 s
    stream_id = begun(streams)
    control.pause(stream_id, LOCAL)
    with streams.database.write() as connection:
        earlier = streams_table.c.last_received_at - 60
        connection.execute(update(streams_table).values(last_received_at=earlier))
    control.resume(stream_id, LOCAL)
    streams.chunk("after the pause", time="00:06:00")
    streams.join()
    told = [(round(start, -1), round(end, -1), reason) for start, end, reason in gaps(service, stream_id)]
    assert told == [(30, 230, "not_sent"), (230, 290, "paused"), (290, 360, "not_sent")]


def test_a_pause_holds_over_the_streams_end_and_in_every_process(
    streams: Streams, service: StreamService, control: StreamControl, url: str
) -> None:
    stream_id = begun(streams)
    assert service.get(stream_id, LOCAL).is_paused is False
    version = service.get(stream_id, LOCAL).state_version
    for _ in range(2):
        assert control.pause(stream_id, LOCAL).state_version == version + 1
    service.end(stream_id, LOCAL)
    # Expect a chunk of it to begin no stream
    streams.chunk("", **AS_PAUSED)
    assert streams.join() == 1
    assert [stream.id for stream in streams.all()] == [stream_id]
    assert streams.to_join() == 0
    with contextlib.closing(Database(url)) as other:
        paused = Streamers(other).is_paused
        assert paused("local", "zoé_tv")
        assert not paused("local", "ada") and not paused("ada", "zoé_tv")
        # One that has ended is not paused, and goes on all the same
        with pytest.raises(StreamEnded):
            control.pause(stream_id, LOCAL)
        for _ in range(2):
            control.resume(stream_id, LOCAL)
        assert not paused("local", "zoé_tv")


def test_streams_are_listed_by_their_status(streams: Streams, service: StreamService, control: StreamControl) -> None:
    stream_id = begun(streams)
    streams.chunk("of another", streamer="Ada")
    streams.join()
    control.pause(stream_id, LOCAL)

    def listed(*, is_live: bool, is_paused: bool | None) -> list[str]:
        page = service.page(LOCAL, streamer=None, is_live=is_live, is_paused=is_paused, before=None, limit=9)
        return [stream.streamer for stream in page]

    assert listed(is_live=True, is_paused=True) == ["Zoé_TV"]
    assert listed(is_live=True, is_paused=False) == ["Ada"]
    assert listed(is_live=False, is_paused=None) == []


def test_it_is_the_owners_say(streams: Streams, control: StreamControl) -> None:
    stream_id = begun(streams)
    for change in (control.pause, control.resume):
        with pytest.raises(StreamUnknown):
            change(stream_id, Principal("ada", Scope.SUBMIT))
        with pytest.raises(StreamUnknown):
            change("strm_none", LOCAL)
    streams.erasure.erase(1)
    with pytest.raises(StreamErased):
        control.pause(stream_id, LOCAL)


def test_resume_by_an_older_stream_lets_the_newest_go_on(
    streams: Streams, service: StreamService, control: StreamControl
) -> None:
    old = begun(streams)
    service.end(old, LOCAL)
    streams.chunk("another broadcast", ago_s=0)
    streams.join()
    new = streams.all()[-1].id
    assert new != old
    control.pause(new, LOCAL)
    control.resume(old, LOCAL)
    (pause,) = service.get(new, LOCAL).pauses
    assert pause.end_s < 60 and not service.get(new, LOCAL).is_paused


@pytest.mark.parametrize("is_paused", [True, False])
def test_what_was_taken_for_a_recording_is_not_heard_either(
    is_paused: bool, streams: Streams, control: StreamControl, connections: Connections
) -> None:
    stream_id = begun(streams)
    request = JobRequest(streamer="zoé_tv", language="en", game="", time="00:00:30", title="")
    more = {"kind": JobKind.LONG, "audio_key": "none", "container": "wav", "joins_stream": True}
    connections.records.insert("task", request, owner="local", **more)
    if is_paused:
        control.pause(stream_id, LOCAL)
    (claim,) = connections.claims.claim_together("task", Stage.TRANSCRIBE, "worker", most=1)
    # When it is decoded, and turns out to be a chunk
    JobLifecycle(connections).reroute(claim, JobKind.LIVE)
    job = connections.records.get("task")
    assert job is not None
    assert job.state is (JobState.DONE if is_paused else JobState.QUEUED)
    assert [warning.code for warning in job.warnings] == ["paused"] * is_paused
    assert streams.join() == is_paused
