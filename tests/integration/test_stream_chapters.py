"""Chapters are closed once, whoever dies or writes beside, and recaps are of what is there; on both databases."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, event, text

from streametrics.auth.principal import LOCAL
from streametrics.database.chapters import ChapterRecords
from streametrics.database.erasure import Erasure
from streametrics.domain.job import JobState
from streametrics.errors import ChapterUnknown, InvalidRequest, StreamStartUnknown
from streametrics.jobs.chapters import ChapterKeeping
from streametrics.jobs.connections import Connections
from streametrics.jobs.hiding import StoredWords
from streametrics.jobs.recaps import RecapScope, RecapService, RecapState
from streametrics.jobs.stream_control import StreamControl
from streametrics.jobs.streams import StreamService
from streametrics.recap.chapters import Chapter
from tests.integration.test_stream_joining import offset
from tests.support.streams import Streams

#: Of one chunk: 30 s, nearly all of it spoken.
LINE = "The number {0} is what was said in this chunk about the {1} and it goes on like this for long."


@pytest.fixture
def recaps(connections: Connections) -> RecapService:
    return RecapService(connections, StreamService(connections))


@pytest.fixture
def keeping(streams: Streams) -> ChapterKeeping:
    return ChapterKeeping(ChapterRecords(streams.database), streams.records, streams.settings)


def line(number: int, about: str) -> str:
    words = LINE.format(number, about).split()
    return " ".join(words)


def stream(streams: Streams, *titles: str, first: int = 0, clock: str = "") -> list[str]:
    """Chunks of 30 s, in order, with these titles."""
    count = first + len(titles)
    sent = [
        streams.chunk(
            line(at, title),
            title=title,
            time=clock or offset(600 + 30 * at),
            ago_s=30.0 * (count - at),
        )
        for at, title in enumerate(titles, start=first)
    ]
    streams.join()
    return sent


def closed(streams: Streams, number: int = 1) -> list[Chapter]:
    return ChapterRecords(streams.database).of(number)


def end(streams: Streams, number: int = 1) -> None:
    streams.records.end(number)


def test_another_title_closes_a_chapter(streams: Streams, keeping: ChapterKeeping) -> None:
    stream(streams, *["rook"] * 4)
    assert keeping.round() == 0
    stream(streams, *["king"] * 4, first=4)
    assert keeping.round() == 1
    (first,) = closed(streams)
    assert (first.place, first.start_s, first.end_s, first.boundary) == (1, 0, 120, "start")
    assert first.segments == (0, 3)
    assert "rook" in first.text.summary and "king" not in first.text.summary
    assert {sentence.first_segment for sentence in first.text.sentences} <= {0, 1, 2, 3}
    # When the stream ends, expect its last one to be closed as well, and nothing to be due
    end(streams)
    assert keeping.round() == 1
    second = closed(streams)[1]
    assert (second.place, second.start_s, second.end_s, second.boundary) == (2, 120, 240, "title")
    assert ChapterRecords(streams.database).due() == []
    assert keeping.round() == 0


def test_a_closed_chapter_keeps_its_borders(streams: Streams, keeping: ChapterKeeping) -> None:
    stream(streams, *["rook"] * 4, *["king"] * 4)
    keeping.round()
    before = closed(streams)
    # Given a late chunk in the closed chapter and one before the stream's beginning
    streams.chunk(line(99, "late"), time=offset(610), ago_s=5)
    streams.chunk(line(98, "early"), time=offset(500), ago_s=4)
    streams.join()
    keeping.round()
    end(streams)
    keeping.round()
    assert closed(streams)[: len(before)] == before
    assert [chapter.place for chapter in closed(streams)] == list(range(1, len(closed(streams)) + 1))


def test_a_stream_without_words_has_no_chapters(streams: Streams, keeping: ChapterKeeping) -> None:
    for at in range(4):
        streams.chunk("", time=offset(30 * at), ago_s=30.0 * (4 - at), title="one" if at < 2 else "two")
    streams.join()
    end(streams)
    assert keeping.round() == 0
    assert closed(streams) == [] and ChapterRecords(streams.database).due() == []


def test_two_processes_close_each_chapter_once(streams: Streams) -> None:
    titles = [title for number in range(6) for title in [f"title{number}"] * 3]
    stream(streams, *titles)
    end(streams)
    start = threading.Barrier(4)

    def work() -> int:
        mine = ChapterKeeping(ChapterRecords(streams.database), streams.records, streams.settings)
        start.wait()
        return sum(mine.round() for _ in range(3))

    with ThreadPoolExecutor(4) as pool:
        counts = [each.result() for each in [pool.submit(work) for _ in range(4)]]
    assert sum(counts) == 6
    assert [(chapter.start_s, chapter.end_s) for chapter in closed(streams)] == [
        (90.0 * at, 90.0 * at + 90) for at in range(6)
    ]


def test_a_writer_that_dies_leaves_all_or_nothing(streams: Streams, keeping: ChapterKeeping) -> None:
    stream(streams, *["rook"] * 4, *["king"] * 4)

    def die(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO chapters"):
            raise SystemExit

    engine = streams.database.engine
    event.listen(engine, "before_cursor_execute", die)
    with contextlib.suppress(SystemExit):
        keeping.round()
    event.remove(engine, "before_cursor_execute", die)
    assert closed(streams) == []
    assert keeping.round() == 1
    assert len(closed(streams)) == 1


def test_a_chunk_that_joins_meanwhile_is_not_lost(
    streams: Streams, keeping: ChapterKeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream(streams, *["rook"] * 4, *["king"] * 4)
    write = keeping._records.write

    def joined_first(*given: object) -> None:
        monkeypatch.setattr(keeping._records, "write", write)
        stream(streams, "king", first=8)
        write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(keeping._records, "write", joined_first)
    assert keeping.round() == 0
    assert closed(streams) == []
    assert keeping.round() == 1


def test_erased_words_leave_their_chapter(streams: Streams, keeping: ChapterKeeping, recaps: RecapService) -> None:
    sent = stream(streams, *["rook"] * 4, *["king"] * 4)
    keeping.round()
    recaps.edit_chapter(streams.all()[0].id, "ch_1", LOCAL, title="A person's", summary=None)
    assert "number 1 " in str(closed(streams)[0].text)
    Erasure(streams.database).erase(sent[1])
    # Expect them to be gone at once, and the chapter to be told from the other ones
    (found,) = closed(streams)
    assert "number 1 " not in str(found.text) and found.text.summary == ""
    keeping.round()
    (found,) = closed(streams)
    assert "number 0 " in found.text.summary and "number 1 " not in str(found.text)
    assert (found.start_s, found.end_s, found.text.title) == (0, 120, "A person's")


def test_a_persons_words_stay(streams: Streams, keeping: ChapterKeeping, recaps: RecapService) -> None:
    stream(streams, *["rook"] * 4, *["king"] * 4)
    keeping.round()
    (was,) = streams.all()
    after, chapter = recaps.edit_chapter(was.id, "ch_1", LOCAL, title=None, summary="She lost.")
    assert after.state_version == was.state_version + 1
    assert (chapter.text.summary, chapter.summary_edited, chapter.title_edited) == ("She lost.", True, False)
    assert (chapter.revision, chapter.text.title) == (2, chapter.text.title)
    assert recaps.recap(after, RecapScope.STREAM, most_letters=1000).text.startswith("She lost.")
    for unknown in ("ch_2", "ch_0", "ch_x", "x"):
        with pytest.raises(ChapterUnknown):
            recaps.edit_chapter(was.id, unknown, LOCAL, title="a", summary=None)


def test_the_layers_of_a_recap(streams: Streams, keeping: ChapterKeeping, recaps: RecapService) -> None:
    stream(streams, *["rook"] * 30, *["king"] * 30)
    keeping.round()
    (found,) = streams.all()
    whole = recaps.recap(found, RecapScope.STREAM, most_letters=2000)
    assert (whole.state, whole.start_s, whole.end_s) == (RecapState.READY, 0, found.end_s)
    assert "rook" in whole.text and "king" in whole.text and whole.language == "en"
    recent = recaps.recap(found, RecapScope.RECENT, most_letters=380)
    assert (recent.start_s, recent.end_s) == (found.end_s - 600, found.end_s)
    assert "rook" not in recent.text and 0 < len(recent.text) <= 380
    assert all(recent.start_s <= sentence.start_s for sentence in recent.sentences)
    chapters = recaps.chapters(found)
    assert [chapter.place for chapter in chapters.all] == [1, 2]
    assert chapters.open is not None and chapters.open.start_s == 900


def test_now_is_the_chunks_own_summary(streams: Streams, recaps: RecapService) -> None:
    result = {
        "summary": "She greets everybody. Then she waits for the others.",
        "summary_source": "ollama",
        "model": "mistral",
        "speech_language": "en",
    }
    streams.chunk(line(1, "start"), time=offset(0), ago_s=60, result=result, language="fr")
    streams.chunk("", time=offset(30), ago_s=30, result={**result, "summary": "Nobody speaks."})
    streams.join()
    (found,) = streams.all()
    now = recaps.recap(found, RecapScope.NOW, most_letters=380)
    assert (now.text, now.source, now.model, now.language) == (result["summary"], "ollama", "mistral", "fr")
    assert (now.start_s, now.end_s) == (0, 30)
    assert recaps.recap(found, RecapScope.NOW, most_letters=40).text == "She greets everybody."


def test_of_a_minute_it_is_told_what_was_said(streams: Streams, recaps: RecapService) -> None:
    streams.chunk("Hello and welcome.", time=offset(0), ago_s=30)
    streams.join()
    (found,) = streams.all()
    for scope in RecapScope.NOW, RecapScope.RECENT, RecapScope.STREAM:
        told = recaps.recap(found, scope, most_letters=380)
        assert (told.state, told.text) == (RecapState.WORDS, "Hello and welcome.")
    long = " ".join(["and so it goes on and on"] * 12)
    streams.chunk(long, time=offset(30), ago_s=0)
    streams.join()
    (found,) = streams.all()
    for scope in RecapScope.RECENT, RecapScope.STREAM:
        told = recaps.recap(found, scope, most_letters=40)
        assert told.state is RecapState.WORDS and 20 < len(told.text) <= 40 and told.text.endswith("…")


def test_since_some_time(streams: Streams, keeping: ChapterKeeping, recaps: RecapService) -> None:
    stream(streams, *["rook"] * 80, *["king"] * 20)
    keeping.round()
    (found,) = streams.all()
    came = found.timeline.zero_arrival
    for since, start_s in (
        ("10m", 2400.0),
        ("00:50:00", 2400.0),
        (str(round((came + 2400) * 1000)), 2400.0),
        ("9h", 0.0),
        ("00:00:01", 0.0),
    ):
        told = recaps.since(found, since, most_letters=1000)
        assert told.start_s == pytest.approx(start_s, abs=1)
        assert ("rook" in told.text) == (start_s == 0), since
        assert all(sentence.start_s >= start_s - 1 for sentence in told.sentences)
    # From within a closed chapter on: only of what was said since
    told = recaps.since(found, "45m", most_letters=2000)
    assert told.sentences and min(sentence.start_s for sentence in told.sentences) >= 300
    assert "king" in told.text and "rook" in told.text
    # Nothing was said since
    assert recaps.since(found, "0m", most_letters=380).state is RecapState.EMPTY
    for wrong in ("99:00:00", "2099-01-01T00:00:00Z", "soon"):
        with pytest.raises(InvalidRequest):
            recaps.since(found, wrong, most_letters=380)


def test_a_broadcasts_time_is_not_guessed(streams: Streams, recaps: RecapService) -> None:
    stream(streams, *["rook"] * 3, clock="live")
    (found,) = streams.all()
    with pytest.raises(StreamStartUnknown):
        recaps.since(found, "00:00:10", most_letters=380)


def test_chapters_outlive_their_words_and_go_in_their_time(
    streams: Streams, keeping: ChapterKeeping, recaps: RecapService
) -> None:
    stream(streams, *["rook"] * 4, *["king"] * 4)
    end(streams)
    keeping.round()
    while streams.erasure.delete_erased(1, is_whole=False):
        pass
    (found,) = streams.all()
    assert not found.has_words
    assert "rook" in recaps.recap(found, RecapScope.STREAM, most_letters=1000).text
    assert recaps.recap(found, RecapScope.RECENT, most_letters=1000).state is RecapState.EMPTY
    assert streams.erasure.delete_recaps(3600) == 0
    streams.age(3601)
    assert streams.erasure.delete_recaps(3600) == 1
    assert closed(streams) == [] and streams.erasure.delete_recaps(3600) == 0
    (found,) = streams.all()
    assert recaps.recap(found, RecapScope.STREAM, most_letters=1000).state is RecapState.EMPTY


def test_an_erased_stream_leaves_no_chapter(streams: Streams, keeping: ChapterKeeping) -> None:
    stream(streams, *["rook"] * 4, *["king"] * 4)
    keeping.round()
    streams.erasure.erase(1)
    while streams.erasure.delete_erased(1, is_whole=True):
        pass
    assert closed(streams) == []
    assert keeping.round() == 0


@pytest.mark.parametrize("damaged", ["[[1]]", "7", "[null]"])
def test_damaged_chapters_are_read(
    damaged: str, streams: Streams, keeping: ChapterKeeping, recaps: RecapService
) -> None:
    stream(streams, *["rook"] * 4, *["king"] * 4)
    keeping.round()
    with streams.database.write() as connection:
        connection.execute(text(f"UPDATE chapters SET sentences = '{damaged}', keywords = '3'"))
    (found,) = streams.all()
    (chapter, _) = recaps.chapters(found).all
    assert chapter.text.summary and chapter.text.keywords == () and chapter.text.sentences == ()


def test_what_is_forgotten_leaves_chapters_and_recaps(
    streams: Streams, keeping: ChapterKeeping, control: StreamControl, recaps: RecapService
) -> None:
    result = {"summary": "She says number 1 aloud.", "summary_source": "ollama", "model": "m", "speech_language": "en"}
    streams.chunk(line(0, "rook"), time=offset(600), ago_s=60, title="rook")
    streams.chunk(line(1, "rook"), time=offset(630), ago_s=30, title="rook", result=result)
    stream(streams, *["rook"] * 2, *["king"] * 4, first=2)
    keeping.round()
    (found,) = streams.all()
    assert "number 1 " in str(closed(streams)) and recaps.recap(found, RecapScope.NOW, most_letters=99).text
    control.forget(found.id, LOCAL, start_s=30, end_s=60)
    (found,) = streams.all()
    told = [recaps.recap(found, scope, most_letters=2000) for scope in (RecapScope.NOW, RecapScope.STREAM)]
    assert "number 1 " not in str([told, recaps.chapters(found), closed(streams)])
    keeping.round()
    (first,) = closed(streams)
    assert "number 0 " in first.text.summary and "number 1 " not in str(first)


def test_hidden_words_and_contacts_are_told_nowhere(
    streams: Streams, keeping: ChapterKeeping, connections: Connections, recaps: RecapService
) -> None:
    mail = "Write to zoe@example.org or call +49 30 1234567 when the rook is lost in the game."
    result = {"summary": f"The street is Elm Row. {mail}", "summary_source": "ollama", "model": "m"}
    streams.chunk(f"She lives in Elm Row now. {mail}", time=offset(600), ago_s=90, title="rook", result=result)
    stream(streams, *["rook"] * 2, *["king"] * 4, first=1)
    keeping.round()
    (found,) = streams.all()
    connections.streamers.write(found.owner, found.streamer_key, {"hidden_words": ["elm row"]}, hides=True)
    (found,) = streams.all()
    told = [recaps.recap(found, scope, most_letters=2000) for scope in (RecapScope.NOW, RecapScope.STREAM)]
    shown = str([told, recaps.chapters(found).all]).lower()
    assert "***" in shown
    for secret in ("elm row", "zoe@example", "1234567"):
        assert secret not in shown
    # What is hidden in the rows by and by leaves the chapters too
    StoredWords(connections).hide(found.owner, found.streamer_key)
    keeping.round()
    assert "elm row" not in str(closed(streams)).lower()


def test_a_chunk_that_is_sent_twice_holds_up_no_chapter(streams: Streams, keeping: ChapterKeeping) -> None:
    for _ in range(2):
        for at, title in enumerate(["rook"] * 4 + ["king"] * 4):
            streams.chunk(line(at, title), title=title, time=offset(600 + 30 * at), ago_s=30.0 * (8 - at))
        streams.join()
    end(streams)
    assert keeping.round() == 2 and keeping.round() == 0
    assert [(each.start_s, each.end_s) for each in closed(streams)] == [(0, 120), (120, 240)]


def test_words_of_two_clients_at_once_are_each_in_one_chapter(streams: Streams, keeping: ChapterKeeping) -> None:
    # Given chunks that lie over each other, and a border in the middle of one
    for at, title in enumerate(["rook"] * 6 + ["king"] * 6):
        words = " ".join(f"a{at} b{at} c{at} d{at}." for _ in range(6))
        streams.chunk(words, title=title, time=offset(600 + 15 * at), ago_s=15.0 * (12 - at))
    streams.join()
    end(streams)
    keeping.round()
    chapters = closed(streams)
    assert [each.start_s for each in chapters] == sorted({each.start_s for each in chapters})
    told = [sentence for each in chapters for sentence in each.text.sentences]
    assert len(chapters) == 2 and len(set(told)) == len(told)
    for each in chapters:
        assert each.start_s < each.end_s
        assert all(each.start_s <= sentence.start_s < each.end_s for sentence in each.text.sentences)


def test_a_title_that_changes_after_a_border_within_a_chunk_counts(streams: Streams) -> None:
    for at, title in enumerate(["rook", "king"]):
        streams.chunk(line(at, title), title=title, time=offset(600 + 300 * at), ago_s=600.0 - 300 * at, audio_s=300.0)
    streams.join()
    # Given a chapter that begins within the first chunk; expect its title to be known
    heard = ChapterRecords(streams.database).heard_chunks(1, start_s=150)
    assert [(chunk.start_s, chunk.title) for chunk in heard] == [(0, "rook"), (300, "king")]


def test_a_silent_chunk_that_is_deleted_leaves_its_chapter(streams: Streams, keeping: ChapterKeeping) -> None:
    silent = streams.chunk("", title="rook", time=offset(600), ago_s=300)
    stream(streams, *["rook"] * 4, *["king"] * 4, first=1)
    keeping.round()
    before = closed(streams)
    Erasure(streams.database).erase(silent)
    assert before and closed(streams) == before


def test_all_chapters_that_lost_words_are_written_anew_at_once(
    streams: Streams, keeping: ChapterKeeping, recaps: RecapService
) -> None:
    sent = stream(streams, *["rook"] * 4, *["king"] * 4, *["pawn"] * 4)
    end(streams)
    keeping.round()
    for task_id in (sent[0], sent[5], sent[9]):
        Erasure(streams.database).erase(task_id)
    assert [each.text.summary for each in closed(streams)] == ["", "", ""]
    keeping.round()
    assert all(each.text.summary for each in closed(streams))
    # A person's summary is told as a person's
    (found,) = streams.all()
    recaps.edit_chapter(found.id, "ch_2", LOCAL, title=None, summary="She wins; call 030 1234567.")
    (found,) = streams.all()
    told = recaps.recap(found, RecapScope.STREAM, most_letters=2000)
    assert told.source == "person" and "She wins" in told.text and "1234567" not in told.text


def test_what_a_person_writes_is_answered_masked(
    streams: Streams, keeping: ChapterKeeping, recaps: RecapService
) -> None:
    stream(streams, *["rook"] * 4, *["king"] * 4)
    keeping.round()
    (found,) = streams.all()
    _, chapter = recaps.edit_chapter(found.id, "ch_1", LOCAL, title="Call 030 1234567", summary=None)
    assert "1234567" not in chapter.text.title


def test_a_persons_summary_stays_a_persons_when_the_chapter_is_written_anew(
    streams: Streams, keeping: ChapterKeeping, recaps: RecapService
) -> None:
    sent = stream(streams, *["rook"] * 4, *["king"] * 4)
    keeping.round()
    recaps.edit_chapter(streams.all()[0].id, "ch_1", LOCAL, title=None, summary="She lost.")
    Erasure(streams.database).erase(sent[0])
    keeping.round()
    (found,) = closed(streams)
    assert (found.text.summary, found.text.source) == ("She lost.", "person")
    assert found.text.title and not found.is_stale


def test_a_summary_in_a_language_with_a_long_name_joins(streams: Streams, recaps: RecapService) -> None:
    result = {"summary": "她輸了。", "summary_source": "ollama", "model": "m", "speech_language": "zh"}
    streams.chunk(line(0, "rook"), time=offset(0), result=result, language="zh-Hant-TW")
    assert streams.join() == 1
    (found,) = streams.all()
    assert recaps.recap(found, RecapScope.NOW, most_letters=99).language == "zh-Hant-TW"


def test_forgetting_leaves_the_next_broadcast_alone(streams: Streams, control: StreamControl) -> None:
    stream(streams, *["rook"] * 40)
    (old,) = streams.all()
    # Given a chunk in work, of a broadcast that begins anew
    values = {"finished_at": None, "state": JobState.TRANSCRIBING, "transcript": None}
    task_id = streams.chunk("", time=offset(30), ago_s=0, **values)
    assert control.forget(old.id, LOCAL, start_s=0, end_s=1100).segments
    streams.finish(task_id, "the next broadcast begins here")
    with streams.database.read() as connection:
        found = connection.execute(text("SELECT state, joins_stream FROM jobs WHERE task_id = :id"), {"id": task_id})
        state, joins = found.one()
    assert (state, bool(joins)) == ("done", True)
