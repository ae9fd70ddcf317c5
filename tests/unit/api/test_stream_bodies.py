"""Streams as they are rendered: subtitles that can be shown whatever lies over what, cursors, and numbers from 0 on."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streametrics.api.stream_bodies import coverage_body, search_hit, stream_body, subtitled
from streametrics.database.stream_search import Hit
from streametrics.database.streams import StoredSegment, StreamRecord
from streametrics.domain.transcript import Segment, Word
from streametrics.jobs.streams import StreamTranscript
from streametrics.streams.coverage import ChunkState, Extent, coverage
from streametrics.streams.placing import SentChunk, first_placement
from streametrics.streams.times import Clock
from streametrics.text import subtitles
from tests.support.subtitle_lint import violations


def stream(**values: object) -> StreamRecord:
    given = {
        "number": 1,
        "id": "strm_1",
        "owner": "local",
        "streamer_key": "zoé_tv",
        "streamer": "Zoé_TV",
        "title": "Finale",
        "game": "",
        "timeline": first_placement(SentChunk("00:10:00", 1000.0, 30.0)).timeline,
        "speech_language": "en",
        "summary_languages": ("en",),
        "started_at": 970.0,
        "ended_at": None,
        "ended_for_s": None,
        "is_erased": False,
        "start_s": -30.0,
        "end_s": 60.0,
        "lag_s": 1.23456,
        "has_words": True,
        "state_version": 3,
        "updated_at": 1000.0,
    }
    return StreamRecord(**{**given, **values})  # type: ignore[arg-type]


def stored(number: int, start_s: float, words: str, word_s: float = 0.4) -> StoredSegment:
    texts = words.split()
    timed = tuple(
        Word(round(start_s + at * word_s, 3), round(start_s + (at + 1) * word_s, 3), f" {text}" if at else text)
        for at, text in enumerate(texts)
    )
    return StoredSegment(number, "job", Segment(start_s, timed[-1].end, words, words=timed, language="en"))


def test_times_count_from_the_first_chunk_that_is_there() -> None:
    # Given a stream to which a chunk from before its first one came late
    body = stream_body(stream())
    assert (body.duration_s, body.status, body.clock) == (90.0, "live", "offset")
    counted = coverage([Extent(-30.0, 0.0, ChunkState.HEARD), Extent(30.0, 60.0, ChunkState.HEARD)], clock=Clock.OFFSET)
    rendered = coverage_body(stream(), counted)
    assert (rendered.start, rendered.end, rendered.lag_s) == (0.0, 90.0, 1.235)
    assert [(gap.start, gap.end) for gap in rendered.gaps] == [(30.0, 60.0)]
    hit = search_hit(Hit(17, stream(), stored(4, 31.0, "a rook")))
    assert (hit.start, hit.segment) == (61.0, 4)
    assert hit.transcript_url == "/v1/streams/strm_1/transcript?format=json&start=31.0&end=91.8"


segments = st.lists(
    st.tuples(st.floats(0, 120).map(lambda at: round(at, 3)), st.integers(1, 12)), min_size=1, max_size=12
)


@settings(max_examples=60)
@given(segments, st.sampled_from(["srt", "vtt"]))
def test_what_lies_over_other_words_is_shown_after_them(found: list[tuple[float, int]], kind: str) -> None:
    # Given segments in any place, as two clients of one broadcast send them
    ordered = [stored(number, start, "word " * count) for number, (start, count) in enumerate(sorted(found))]
    transcript = StreamTranscript(stream(), ordered, zero_s=0.0, zero_at=None)
    # Expect subtitles in order, with every word
    text = subtitles.render(subtitled(transcript), kind)  # type: ignore[arg-type]
    assert violations(text, kind) == []
    assert text.count("word") == sum(count for _, count in found)
