"""The search in a stream's words, as both databases do it: TEST_DATABASE_URL names a PostgreSQL, else it is SQLite."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streametrics.database.engine import Database
from streametrics.database.erasure import Erasure
from streametrics.streams.search_terms import phrases_of
from tests.support.stack import database
from tests.support.streams import Streams

#: But for lone surrogates, the null character, and letters of New Tai Lue that SQLite does not know.
ANY_LETTER = st.characters(exclude_categories=["Cs"], exclude_characters=["\0", *map(chr, range(0x19B0, 0x19CA))])
#: What is said, each in a chunk of its own.
SAID = [
    "Zoé lost a rook and then resigned the game",
    "She plays e4 against the Sicilian defence",
    "東京タワーに行きました",
    "ไปเที่ยวกรุงเทพฯ กับเพื่อน",
    "서울에서 만나요 여러분",
    "Straße nach München, um 3.14 Uhr",
    "foo\"bar a:b -x AND * NEAR(a b) '; DROP TABLE streams; --",
    "the rook comes back",
]


@pytest.fixture(scope="module")
def streams() -> Iterator[Streams]:
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        url = opened.enter_context(database(Path(folder)))
        made = Streams(opened.enter_context(contextlib.closing(Database(url))))
        for number, words in enumerate(SAID):
            made.chunk(words, ago_s=300 - 30 * number)
        made.chunk("the rook of somebody else", owner="other", streamer="Ada")
        assert made.join() == len(SAID) + 1
        yield made


def found(streams: Streams, query: str, owner: str | None = "local") -> list[str]:
    return [hit.found.segment.text for hit in streams.search.find(phrases_of(query), owner, limit=50)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("rook", [7, 0]),
        ("ROOK resigned", [0]),
        ("zoe", [0]),
        ("Zoe\u0301", [0]),
        ("東京", [2]),
        ("京", [2]),
        ("東京タワー", [2]),
        ("京東", []),
        ("กรุงเทพ", [3]),
        ("서울에서", [4]),
        ("strasse MUNCHEN", [5]),
        ("3.14", [5]),
        ("14.3", []),
        ("rook bishop", []),
        ("roo", []),
        ('foo"bar', [6]),
        ("a:b", [6]),
        ("-x", [6]),
        ("AND", [6, 0]),
        ("NEAR(a", [6]),
        ("'; DROP", [6]),
        ("*", []),
    ],
)
def test_what_was_said_is_found(query: str, said: list[int], streams: Streams) -> None:
    if query == "*":
        assert phrases_of(query) == []
        return
    assert found(streams, query) == [SAID[number] for number in said]


def test_a_hit_says_where_and_when(streams: Streams) -> None:
    (hit,) = streams.search.find(phrases_of("sicilian"), "local", limit=50)
    assert (hit.stream.streamer, hit.found.number, round(hit.found.segment.start)) == ("Zoé_TV", 1, 30)
    assert [word.text for word in hit.found.segment.words][:2] == ["She", " plays"]


def test_only_the_owners_words_are_found_and_everybodys_by_nobody_else(streams: Streams) -> None:
    assert found(streams, "rook", "other") == ["the rook of somebody else"]
    assert len(found(streams, "rook", None)) == 3
    assert found(streams, "rook", "nobody") == []
    one = streams.search.find(phrases_of("rook"), None, streamer_key="ada", limit=50)
    assert [hit.stream.owner for hit in one] == ["other"]


def test_pages_hold_every_hit_once_the_newest_first(streams: Streams) -> None:
    places, before = [], None
    while page := streams.search.find(phrases_of("the"), None, before=before, limit=1):
        places.append(page[0].place)
        before = page[-1].place
    everything = [hit.place for hit in streams.search.find(phrases_of("the"), None, limit=50)]
    assert places == everything == sorted(everything, reverse=True)
    assert len(places) == 4


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=30))
def test_no_query_is_an_error(streams: Streams, query: str) -> None:
    if phrases := phrases_of(query):
        streams.search.find(phrases, "local", limit=10)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(ANY_LETTER, min_size=1, max_size=40))
def test_whatever_is_said_is_found(streams: Streams, text: str) -> None:
    words = " ".join(text.split())
    if not phrases_of(words):
        return
    task_id = streams.chunk(words, streamer="Bob", owner="hypothesis")
    streams.join()
    assert words in found(streams, words, "hypothesis")
    Erasure(streams.database).erase(task_id)
    assert words not in found(streams, words, "hypothesis")


def test_erased_words_leave_the_index(tmp_path: Path) -> None:
    with database(tmp_path) as url, contextlib.closing(Database(url)) as opened:
        streams = Streams(opened)
        kept = [streams.chunk(f"said as number {number}", ago_s=90 - number) for number in range(20)]
        secret = streams.chunk("the xylophonequartz is here", ago_s=1)
        streams.join()
        assert found(streams, "xylophonequartz") == ["the xylophonequartz is here"]
        assert not streams.search.compact()
        Erasure(opened).erase(secret)
        assert found(streams, "xylophonequartz") == []
        # When the index is compacted, expect it to hold the word no more, and the others still
        assert streams.search.compact()
        assert not streams.search.compact()
        if opened.engine.dialect.name == "sqlite":
            with opened.read() as connection:
                blocks = connection.exec_driver_sql("SELECT block FROM stream_words_data").scalars().all()
            assert not [block for block in blocks if b"xylophone" in bytes(block)]
        assert len(found(streams, "said number")) == len(kept)
