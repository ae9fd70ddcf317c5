"""Streams end, lose their words and are erased in time, and nothing of an erased one is left in the tables."""

import pytest

from streametrics.database import stream_erasure
from streametrics.database.stream_erasure import Retained
from tests.support.streams import Streams

DAY_S = 86_400.0
KEPT = Retained(words_s=7 * DAY_S, stream_s=30 * DAY_S)


@pytest.fixture
def streams(streams: Streams) -> Streams:
    """One of five chunks, and another streamer's of one."""
    for number in range(5):
        streams.chunk(f"words of number {number}", ago_s=150 - 30 * number)
    streams.join()
    streams.chunk("words of another", streamer="Ada")
    streams.join()
    return streams


def clean(streams: Streams) -> None:
    """What a round of retention does."""
    for number, is_whole in streams.erasure.due(KEPT):
        if is_whole:
            streams.erasure.erase(number)
        while streams.erasure.delete_erased(number, is_whole=is_whole):
            pass


def test_a_stream_ends_when_no_chunk_comes(streams: Streams) -> None:
    assert streams.erasure.end_idle(3600) == 0
    streams.age(3601)
    assert streams.erasure.end_idle(3600) == 2
    first = streams.all()[0]
    assert first.ended_at is not None and first.ended_for_s is not None
    assert 3600 < first.ended_for_s < 3700


def test_words_go_before_the_stream_does(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_erasure, "BATCH", 2)
    assert streams.erasure.due(KEPT) == []
    streams.records.end(1)
    assert streams.erasure.due(KEPT) == []
    streams.age(7 * DAY_S + 1)
    assert streams.erasure.due(KEPT) == [(1, False)]
    clean(streams)
    assert streams.rows() == (6, 1, 1)
    assert streams.erasure.due(KEPT) == []
    (first, _) = streams.all()
    assert not first.has_words
    streams.age(23 * DAY_S)
    assert streams.erasure.due(KEPT) == [(1, True)]
    clean(streams)
    assert streams.rows() == (1, 1, 1)
    assert [stream.streamer for stream in streams.all()] == ["Ada"]
    gone = streams.records.get(first.id)
    assert gone is not None and gone.is_erased and gone.streamer == gone.title == ""
    assert streams.erasure.due(KEPT) == []
    # Its id is known for a while, and then is none
    assert streams.erasure.delete_tombstones(DAY_S) == 0
    streams.age(DAY_S + 1)
    assert streams.erasure.delete_tombstones(DAY_S) == 1
    assert streams.records.get(first.id) is None


def test_an_erased_stream_is_gone_at_once_and_its_rows_after_a_kill_too(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_erasure, "BATCH", 2)
    waiting = streams.chunk("sent before it was erased")
    streams.erasure.erase(1, waiting=[waiting])
    # Given a process that dies after the first batch
    assert streams.erasure.delete_erased(1, is_whole=True) == 2
    assert [stream.streamer for stream in streams.all()] == ["Ada"]
    assert streams.search.find([["number"]], None, limit=10) == []
    # Expect a round of retention to delete the rest, and what was sent before to join nothing
    clean(streams)
    assert streams.rows() == (1, 1, 1)
    assert streams.join() == 0
    # And the streamer's next chunk to begin another stream
    streams.chunk("sent afterwards")
    streams.join()
    assert [streams.texts(stream) for stream in streams.all()] == [["words of another"], ["sent afterwards"]]
