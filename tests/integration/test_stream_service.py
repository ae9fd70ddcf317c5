"""Streams as clients are served: whose they are, what is late, what is kept; and `kill -9` of who joins them."""

import random
import subprocess
import sys
import time

import pytest

from streametrics.auth.principal import LOCAL, Principal, Scope
from streametrics.domain.job import JobState
from streametrics.errors import StreamErased, StreamUnknown
from streametrics.jobs.connections import Connections
from streametrics.jobs.streams import StreamService, TimesFrom
from tests.support.stack import ROOT, compiled_once
from tests.support.streams import Streams

ADA, BOB = Principal("ada", Scope.SUBMIT), Principal("bob", Scope.READ)


@pytest.fixture
def service(connections: Connections) -> StreamService:
    return StreamService(connections)


def transcript(service: StreamService, stream_id: str, principal: Principal = LOCAL) -> list[str]:
    found = service.transcript(stream_id, principal, times=TimesFrom.UPLOAD, start_s=None, end_s=None)
    return [each.segment.text for each in found.segments]


def test_a_stream_is_its_owners_and_the_administrators(streams: Streams, service: StreamService) -> None:
    streams.chunk("said by Ada here", owner="ada")
    streams.chunk("said by Bob here", owner="bob")
    streams.join()
    (ada,), (bob,) = streams.all("ada"), streams.all("bob")
    assert transcript(service, ada.id, ADA) == transcript(service, ada.id) == ["said by Ada here"]
    for foreign in (
        lambda: service.get(ada.id, BOB),
        lambda: service.end(ada.id, BOB),
        lambda: service.erase(ada.id, BOB),
    ):
        with pytest.raises(StreamUnknown):
            foreign()
    assert service.newest("zoé_tv", BOB) == bob
    for principal, ids in ((ADA, [ada.id]), (BOB, [bob.id]), (LOCAL, [bob.id, ada.id])):
        page = service.page(principal, streamer=None, is_live=None, before=None, limit=10)
        assert [stream.id for stream in page] == ids
        assert len(service.streamers(principal, before=None, limit=10)) == len(ids)
        assert len(service.search("said", principal, streamer=None, before=None, limit=10)) == len(ids)


def test_a_chunk_in_work_is_late_until_it_is_done(streams: Streams, service: StreamService) -> None:
    streams.chunk("the first words", time="00:00:00", ago_s=200)
    slow = streams.chunk("", time="00:00:30", ago_s=170, finished_at=None, state=JobState.TRANSCRIBING, transcript=None)
    streams.chunk("the third words", time="00:01:00", ago_s=140)
    streams.join()
    (stream,) = streams.all()
    (gap,) = service.coverage(stream).gaps
    assert (gap.start_s, gap.end_s, gap.reason.value) == (30, 60, "late")
    streams.finish(slow, "the second words")
    streams.join()
    (stream,) = streams.all()
    assert service.coverage(stream).gaps == ()
    assert transcript(service, stream.id) == ["the first words", "the second words", "the third words"]


def test_words_are_told_as_long_as_they_are_kept(streams: Streams, service: StreamService) -> None:
    streams.chunk("kept for a week")
    streams.join()
    (stream,) = streams.all()
    service.end(stream.id, LOCAL)
    streams.age(7 * 86_400 - 60)
    assert transcript(service, stream.id) == ["kept for a week"]
    # A moment later, expect them to be gone, whether or not retention has come by
    streams.age(61)
    with pytest.raises(StreamErased, match="STREAM_TRANSCRIPT_DAYS"):
        transcript(service, stream.id)
    assert service.get(stream.id, LOCAL).ended_at is not None


def test_what_waits_to_join_goes_with_an_erased_stream(streams: Streams, service: StreamService) -> None:
    streams.chunk("there before it")
    streams.join()
    (stream,) = streams.all()
    streams.chunk("on its way")
    streams.chunk("of somebody else", streamer="Ada")
    service.erase(stream.id, LOCAL)
    with pytest.raises(StreamErased):
        service.get(stream.id, LOCAL)
    assert streams.join() == 1
    assert [streams.texts(each) for each in streams.all()] == [["of somebody else"]]
    assert streams.rows() == (1, 1, 1)


def test_kill_9_while_chunks_join_loses_none_and_joins_none_twice(streams: Streams, url: str) -> None:
    # Given many chunks that wait, and processes that are killed at any moment
    count, chance = 150, random.Random(46)
    for number in range(count):
        at = f"{number // 120:02}:{number // 2 % 60:02}:{number % 2 * 30:02}"
        streams.chunk(f"words of number {number}", time=at, ago_s=(count - number) * 10)
    left = [streams.to_join()]
    for _ in range(6):
        command = [sys.executable, "-m", "tests.support.workers.joining", url]
        environment = {**compiled_once(), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None and process.stdout.readline() == b"begins\n"
            # When one has joined some
            while streams.to_join() == left[-1] and left[-1]:
                assert process.poll() is None
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
        left.append(streams.to_join())
    # Expect the others to go on where they were, and each chunk to be there once, in its place
    assert count > left[1] > left[2] > 0 and left == sorted(left, reverse=True)
    streams.join()
    (stream,) = streams.all()
    assert streams.texts(stream) == [f"words of number {number}" for number in range(count)]
    assert streams.spans(stream) == [(number * 30, number * 30 + 30) for number in range(count)]
    assert stream.state_version == count
    assert streams.rows() == (count, count, count)


@pytest.mark.parametrize("ends_first", [True, False])
def test_what_is_in_work_brings_no_erased_stream_back(
    ends_first: bool, streams: Streams, service: StreamService
) -> None:
    # Given a stream with more chunks in work than one round looks at
    streams.chunk("there before it", ago_s=60)
    streams.join()
    (stream,) = streams.all()
    slow = [
        streams.chunk("", ago_s=30, finished_at=None, state=JobState.TRANSCRIBING, transcript=None) for _ in range(510)
    ]
    if ends_first:
        service.end(stream.id, LOCAL)
    service.erase(stream.id, LOCAL)
    # When they end, expect them to join nothing
    for task_id in (slow[0], slow[-1]):
        streams.finish(task_id, "said all the same")
    assert streams.join() == 0
    assert streams.all() == []


def test_a_streamer_is_found_by_key_and_by_name(streams: Streams, service: StreamService) -> None:
    streams.chunk("said by a name with blanks", streamer="Zoé la/Belle")
    streams.join()
    for name in ("Zoé la/Belle", "zoé~20la~2Fbelle"):
        assert len(service.page(LOCAL, streamer=name, is_live=None, before=None, limit=10)) == 1
        assert len(service.search("blanks", LOCAL, streamer=name, before=None, limit=10)) == 1
