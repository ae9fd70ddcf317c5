"""What the owner of a streamer's streams says about all of them: hidden words, how long they are kept, languages."""

import contextlib

import pytest
from sqlalchemy import select

from streametrics.auth.principal import LOCAL, Principal, Scope
from streametrics.database.engine import Database
from streametrics.database.stream_erasure import Retained
from streametrics.database.stream_tables import stream_words
from streametrics.errors import StreamErased, StreamUnknown
from streametrics.jobs.connections import Connections
from streametrics.jobs.hiding import StoredWords
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.maintenance import TimeGaps
from streametrics.jobs.retention import Retention
from streametrics.jobs.stream_control import StreamControl
from streametrics.jobs.streamers import StreamerChange, StreamerService
from streametrics.jobs.streams import StreamService, TimesFrom
from tests.support.streams import Streams

ADA = Principal("ada", Scope.SUBMIT)
DAY_S = 86_400.0


@pytest.fixture
def service(connections: Connections) -> StreamService:
    return StreamService(connections)


@pytest.fixture
def streamers(connections: Connections, service: StreamService) -> StreamerService:
    return StreamerService(connections, StreamControl(connections, service))


def words(service: StreamService, stream_id: str) -> list[str]:
    found = service.transcript(stream_id, LOCAL, times=TimesFrom.UPLOAD, start_s=None, end_s=None)
    return [each.segment.text for each in found.segments]


def hits(streams: Streams, *words: str) -> list[str]:
    return [hit.found.segment.text for hit in streams.search.find([list(words)], None, limit=50)]


def say(streamers: StreamerService, key: str = "zoé_tv", who: Principal = LOCAL, **change: object) -> bool:
    return streamers.change(key, who, StreamerChange(**change))[1]  # type: ignore[arg-type]


def test_words_are_hidden_from_now_on_and_where_they_were(
    streams: Streams, service: StreamService, streamers: StreamerService, connections: Connections
) -> None:
    streams.chunk("she lives in Elm Street number five", ago_s=60)
    streams.chunk("nobody lives here", ago_s=30)
    streams.chunk("he lives in Elm Street too", owner="ada", ago_s=20)
    streams.chunk("and so does Ada in elm street", streamer="Ada", ago_s=20)
    streams.join()
    (foreign,) = streams.all("ada")
    own, other = sorted(streams.all("local"), key=lambda each: each.streamer, reverse=True)
    before = own.state_version
    assert say(streamers, hidden_words=["elm street", "ELM street", "Bob"])
    assert words(service, own.id) == ["she lives in *** number five", "nobody lives here"]
    assert words(service, foreign.id) == ["he lives in Elm Street too"]
    assert words(service, other.id) == ["and so does Ada in elm street"]
    assert hits(streams, "elm", "street") == ["and so does Ada in elm street", "he lives in Elm Street too"]
    assert hits(streams, "number", "five") == ["she lives in *** number five"]
    # Expect subtitles to be without them too, as they are made of words
    found = connections.streams.segments(own.number, start_s=0, end_s=99)
    assert "Elm" not in str([each.segment.words for each in found])
    assert service.get(own.id, LOCAL).state_version > before
    # And what comes from now on
    streams.chunk("bob is in ELM, Street")
    streams.join()
    assert words(service, own.id)[2:] == ["*** is in ***"]
    assert hits(streams, "bob") == []
    # What is named twice is kept once; taken off the list, it is told from then on
    assert streamers.get("zoé_tv", LOCAL).settings.hidden_words == ("elm street", "Bob")
    say(streamers, hidden_words=[])
    streams.chunk("elm street once more")
    streams.join()
    assert words(service, own.id)[2:] == ["*** is in ***", "elm street once more"]


def test_who_dies_over_hiding_leaves_the_rest_to_retention(
    streams: Streams, service: StreamService, connections: Connections
) -> None:
    for number in range(5):
        streams.chunk(f"the secret of number {number}", ago_s=150 - 30 * number)
    streams.join()
    (stream,) = streams.all()
    connections.streamers.write("local", "zoé_tv", {"hidden_words": ["secret"]}, hides=True)
    assert connections.streamers.to_hide() == [("local", "zoé_tv")]
    assert hits(streams, "secret") != []
    Retention(connections, JobLifecycle(connections), gaps=TimeGaps(60)).round()
    assert hits(streams, "secret") == []
    assert words(service, stream.id) == [f"the *** of number {number}" for number in range(5)]
    assert connections.streamers.to_hide() == []


def test_words_of_many_chunks_are_hidden_in_pages(
    streams: Streams, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streametrics.jobs.hiding.PAGE", 3)
    for number in range(10):
        streams.chunk(f"the secret of number {number} and the rook", ago_s=300 - 30 * number)
    streams.join()
    connections.streamers.write("local", "zoé_tv", {"hidden_words": ["secret", "rook"]}, hides=True)
    stored = StoredWords(connections)
    assert not stored.hide("local", "zoé_tv", within_s=0)
    assert 0 < len(hits(streams, "secret")) < 10
    assert stored.hide("local", "zoé_tv")
    assert hits(streams, "secret") == hits(streams, "rook") == []
    assert len(hits(streams, "number")) == 10
    with streams.database.read() as connection:
        assert len(connection.execute(select(stream_words.c.rowid)).all()) == 10


def test_a_chunk_on_its_way_does_not_join_by_the_settings_of_before(
    streams: Streams, service: StreamService, streamers: StreamerService, connections: Connections
) -> None:
    streams.chunk("the first words", ago_s=60)
    streams.join()
    streams.chunk("the secret words", ago_s=30)
    find = streams.joining._records.find

    def find_and_be_overtaken(*args: object, **how: object) -> object:
        found = find(*args, **how)  # type: ignore[arg-type]
        streams.joining._records.find = find  # type: ignore[method-assign]
        say(streamers, hidden_words=["secret"])
        return found

    streams.joining._records.find = find_and_be_overtaken  # type: ignore[method-assign, assignment]
    streams.join()
    assert words(service, streams.all()[0].id) == ["the first words", "the *** words"]


def test_streams_are_kept_for_as_long_as_their_streamer_says(
    streams: Streams, service: StreamService, streamers: StreamerService
) -> None:
    kept = Retained(words_s=7 * DAY_S, stream_s=30 * DAY_S)
    streams.chunk("of Zoé", ago_s=60)
    streams.chunk("of Ada", streamer="Ada", ago_s=60)
    streams.join()
    for stream in streams.all():
        streams.records.end(stream.number)
    zoe, ada = (stream.number for stream in sorted(streams.all(), key=lambda each: each.streamer, reverse=True))
    zoe_id = streams.all()[0].id if streams.all()[0].number == zoe else streams.all()[1].id
    say(streamers, retention=(1.0, 3.0))
    streams.age(DAY_S + 60)
    assert streams.erasure.due(kept) == [(zoe, False)]
    with pytest.raises(StreamErased, match="kept for 1 days"):
        words(service, zoe_id)
    while streams.erasure.delete_erased(zoe, is_whole=False):
        pass
    assert streams.erasure.due(kept) == []
    streams.age(2 * DAY_S)
    assert streams.erasure.due(kept) == [(zoe, True)]
    # Longer than the service keeps them is as long as that
    say(streamers, retention=(100.0, 100.0))
    streams.age(5 * DAY_S)
    assert dict(streams.erasure.due(kept)) == {ada: False}
    say(streamers, retention=(None, None))
    streams.age(30 * DAY_S)
    assert dict(streams.erasure.due(kept)) == {zoe: True, ada: True}


def test_words_that_are_not_to_be_kept_are_not_stored(streams: Streams, streamers: StreamerService) -> None:
    streams.chunk("the first words", ago_s=60)
    streams.join()
    say(streamers, retention=(0.0, None))
    streams.chunk("the second words", ago_s=30)
    streams.join()
    (stream,) = streams.all()
    assert streams.texts(stream) == ["the first words"]
    assert streams.spans(stream) == [(0, 30), (30, 60)]


def test_languages_are_those_of_streams_to_come(
    streams: Streams, service: StreamService, streamers: StreamerService
) -> None:
    streams.chunk("the first words", ago_s=60)
    streams.join()
    say(streamers, summary_languages=["fr", "de", "fr"])
    assert streamers.get("zoé_tv", LOCAL).settings.summary_languages == ("fr", "de")
    service.end(streams.all()[0].id, LOCAL)
    streams.chunk("another broadcast", ago_s=0)
    streams.join()
    assert [stream.summary_languages for stream in streams.all()] == [("en",), ("fr", "de", "en")]


def test_settings_outlive_streams_and_are_their_owners(streams: Streams, streamers: StreamerService, url: str) -> None:
    streams.chunk("the first words", ago_s=60)
    streams.chunk("of Ada", owner="ada", ago_s=60)
    streams.join()
    say(streamers, hidden_words=["first"], is_paused=True)
    for key in ("nobody", "a\x00b"):
        with pytest.raises(StreamUnknown):
            streamers.get(key, ADA)
    assert streamers.get("zoé_tv", ADA).settings.hidden_words == ()
    say(streamers, who=ADA, hidden_words=["ada"])
    for stream in streams.all():
        streams.erasure.erase(stream.number)
    assert streamers.get("zoé_tv", ADA).settings.hidden_words == ("ada",)
    assert streamers.get("zoé_tv", ADA).settings.paused_at is None
    mine = streamers.get("zoé_tv", LOCAL)
    assert mine.settings.paused_at is not None and mine.settings.hidden_words == ("first",)
    # Expect a pause to be ended where no stream of it is left, and the words of a new one to be hidden
    say(streamers, is_paused=False)
    with contextlib.closing(Database(url)) as other:
        assert not Streams(other).joining._records.settings("local", "zoé_tv").paused_at
    with streams.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM streams")
    streams.chunk("the first of another stream")
    streams.join()
    assert streams.texts(streams.all()[-1]) == ["the *** of another stream"]
