"""Erases streams and their words: at once from every view, and from the tables in small transactions."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from streametrics.database.engine import Database, now, statement_now
from streametrics.database.stream_search import WORDS_ERASED
from streametrics.database.stream_tables import (
    chapters,
    markers,
    stream_chunks,
    stream_segments,
    stream_words,
    streamers,
    streams,
)
from streametrics.database.streams import segment_ids, with_new_version
from streametrics.database.tables import TO_JOIN, facts, jobs
from streametrics.recap.spoken import LONGEST_JOINED_S
from streametrics.streams.coverage import ChunkState

#: Segments, or chunks, that one transaction deletes at most: SQLite's other writers wait meanwhile.
BATCH = 500
#: The most streams that one round of retention looks at.
MOST_STREAMS = 100
#: By how much words may lie outside of their chunk, in seconds.
SLACK_S = 10.0
#: And by how much a sentence of theirs may have begun before.
SENTENCE_SLACK_S = SLACK_S + LONGEST_JOINED_S
#: The values of a stream of which chapters were emptied.
CHAPTERS_TO_REWRITE: dict[str, Any] = {"chapters_due": True, "chapters_seen_s": None}
#: The values of a chapter of which words were erased; what a person has written stays.
EMPTIED_CHAPTER: dict[str, Any] = {
    "title": case((chapters.c.title_edited, chapters.c.title), else_=""),
    "summary": case((chapters.c.summary_edited, chapters.c.summary), else_=""),
    "keywords": [],
    "sentences": [],
    "is_stale": True,
}
DAY_S = 86_400
#: The values of an erased stream: nothing in it tells who streamed what.
_ERASED_VALUES: dict[str, object] = {
    "streamer": "",
    "streamer_key": "",
    "title": "",
    "game": "",
    "speech_language": None,
    "summary_languages": [],
    "forgotten": None,
    "forgetting": None,
    "pauses": None,
}


@dataclass(frozen=True, slots=True)
class Retained:
    """How long streams are kept from their end on, in seconds: their words, and they themselves."""

    words_s: float
    stream_s: float


def take_out_words(connection: Connection, task_id: str, stream_id: str) -> None:
    """Take a chunk's words out of its stream and the index, within the transaction that erases its job."""
    forgotten = {
        "state": ChunkState.FORGOTTEN,
        "fingerprint": None,
        "speech_s": 0.0,
        "transcribed_s": 0.0,
    }
    # The stream's row before its chapters', as whoever writes them does: two never wait for each other.
    connection.execute(select(streams.c.number).where(streams.c.id == stream_id).with_for_update())
    spoken_s = connection.execute(select(stream_chunks.c.speech_s).where(stream_chunks.c.task_id == task_id)).scalar()
    still_there = [stream_chunks.c.task_id == task_id, stream_chunks.c.state != ChunkState.FORGOTTEN]
    if connection.execute(update(stream_chunks).where(*still_there).values(forgotten)).rowcount != 1:
        return
    own = select(stream_segments.c.id).where(stream_segments.c.task_id == task_id)
    ids = list(connection.execute(own).scalars())
    if ids:
        connection.execute(delete(stream_words).where(stream_words.c.rowid.in_(ids)))
        connection.execute(delete(stream_segments).where(stream_segments.c.id.in_(ids)))
        note_erased(connection)
    if spoken_s:
        empty_chapters(connection, [task_id])
        note_erased(connection)
    connection.execute(update(streams).where(streams.c.id == stream_id).values(with_new_version(**CHAPTERS_TO_REWRITE)))


def empty_chapters(connection: Connection, task_ids: Sequence[str]) -> None:
    """Empty the chapters in which these chunks lie; with CHAPTERS_TO_REWRITE they are written from what is left.

    What was written of the chunks themselves goes too.
    """
    chunk = (
        select(stream_chunks.c.stream, stream_chunks.c.start_s, stream_chunks.c.end_s)
        .where(stream_chunks.c.task_id.in_(task_ids))
        .subquery()
    )
    meets = (
        select(chapters.c.number)
        .join(chunk, chunk.c.stream == chapters.c.stream)
        .where(chapters.c.start_s < chunk.c.end_s + SENTENCE_SLACK_S)
        .where(chapters.c.end_s > chunk.c.start_s - SENTENCE_SLACK_S)
    )
    connection.execute(update(chapters).where(chapters.c.number.in_(meets)).values(**EMPTIED_CHAPTER))
    has_summary = stream_chunks.c.task_id.in_(task_ids) & stream_chunks.c.summary.is_not(None)
    connection.execute(update(stream_chunks).where(has_summary).values(summary=None))


class StreamErasure:
    """Ends and erases streams. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase(self, number: int, *, waiting: Sequence[str] = ()) -> None:
        """Erase a stream from every view, for good; `delete_erased` deletes what it was made of.

        waiting: jobs of its streamer that have not joined yet; they were sent before, and join nothing.
        """
        with self._database.write() as connection:
            if waiting:
                connection.execute(update(jobs).where(jobs.c.task_id.in_(waiting), TO_JOIN).values(joins_stream=None))
            _mark_erased(connection, number)

    def delete_erased(self, number: int, *, is_whole: bool) -> int:
        """Delete a batch of a stream's words, and with `is_whole` of its chunks; returns how many rows there were."""
        ids = select(stream_segments.c.id).where(stream_segments.c.id.between(*segment_ids(number))).limit(BATCH)
        with self._database.write() as connection:
            found = list(connection.execute(ids).scalars())
            if found:
                connection.execute(delete(stream_words).where(stream_words.c.rowid.in_(found)))
                connection.execute(delete(stream_segments).where(stream_segments.c.id.in_(found)))
                note_erased(connection)
                return len(found)
            chunks = select(stream_chunks.c.task_id).where(stream_chunks.c.stream == number).limit(BATCH)
            if is_whole and (names := list(connection.execute(chunks).scalars())):
                connection.execute(delete(stream_chunks).where(stream_chunks.c.task_id.in_(names)))
                return len(names)
            gone = {"has_words": False, "state_version": streams.c.state_version + 1}
            if is_whole:
                _lock(connection, [number])
                connection.execute(delete(chapters).where(chapters.c.stream == number))
                gone |= {"has_recaps": False, "chapters_due": None}
            connection.execute(update(streams).where(streams.c.number == number).values(gone))
        return 0

    def delete_recaps(self, kept_s: float) -> int:
        """Delete chapters and summaries of streams that ended so long ago; returns of how many streams."""
        kept = [streams.c.has_recaps.is_(True), streams.c.erased_at.is_(None)]
        old = select(streams.c.number).where(streams.c.ended_at < statement_now() - kept_s, *kept).limit(MOST_STREAMS)
        sooner = (
            select(streams.c.number)
            .select_from(streamers.join(streams, _of_streamer()))
            .where(streamers.c.recap_days.is_not(None), *kept)
            .where(streams.c.ended_at < statement_now() - streamers.c.recap_days * DAY_S)
            .limit(MOST_STREAMS)
        )
        with self._database.write() as connection:
            numbers = list({*connection.execute(old).scalars(), *connection.execute(sooner).scalars()})
            if numbers:
                _lock(connection, numbers)
                connection.execute(delete(chapters).where(chapters.c.stream.in_(numbers)))
                has_summary = stream_chunks.c.stream.in_(numbers) & stream_chunks.c.summary.is_not(None)
                connection.execute(update(stream_chunks).where(has_summary).values(summary=None))
                gone = {"has_recaps": False, "state_version": streams.c.state_version + 1}
                connection.execute(update(streams).where(streams.c.number.in_(numbers)).values(gone))
        return len(numbers)

    def end_idle(self, idle_s: float) -> int:
        """End the streams to which no chunk came for so long; their end is the last one's coming."""
        idle = [streams.c.ended_at.is_(None), streams.c.last_received_at < statement_now() - idle_s]
        with self._database.write() as connection:
            return connection.execute(
                update(streams)
                .where(*idle)
                .values(with_new_version(ended_at=streams.c.last_received_at, chapters_due=True))
            ).rowcount

    def due(self, kept: Retained) -> list[tuple[int, bool]]:
        """Read the streams of which words have to go, and whether all of it has to."""
        old = streams.c.ended_at < statement_now() - kept.stream_s
        words_old = streams.c.ended_at < statement_now() - kept.words_s
        is_erased = streams.c.erased_at.is_not(None)
        due = or_(old & ~is_erased, streams.c.has_words.is_(True) & (words_old | is_erased))
        query = select(streams.c.number, (old | is_erased).label("whole")).where(streams.c.ended_at.is_not(None), due)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(MOST_STREAMS)).all()
            sooner = connection.execute(_due_by_streamer(kept).limit(MOST_STREAMS)).all()
        found: dict[int, bool] = {}
        for row in [*rows, *sooner]:
            found[row.number] = bool(row.whole) or found.get(row.number, False)
        return list(found.items())

    def delete_tombstones(self, age_s: float) -> int:
        """Delete the rows of streams that were erased more than `age_s` ago; their ids are unknown from then on."""
        old = [streams.c.erased_at < statement_now() - age_s, streams.c.has_words.is_(False)]
        with self._database.write() as connection:
            return connection.execute(delete(streams).where(*old)).rowcount


def _due_by_streamer(kept: Retained) -> Select[Any]:
    """Select the streams whose streamers keep them for a shorter time."""
    words_s = func.coalesce(streamers.c.transcript_days * DAY_S, kept.words_s)
    stream_s = func.coalesce(streamers.c.recap_days * DAY_S, kept.stream_s)
    words_old = streams.c.ended_at < statement_now() - words_s
    old = and_(words_old, streams.c.ended_at < statement_now() - stream_s)
    return (
        select(streams.c.number, old.label("whole"))
        .select_from(streamers.join(streams, _of_streamer()))
        .where(or_(streamers.c.transcript_days.is_not(None), streamers.c.recap_days.is_not(None)))
        .where(streams.c.ended_at.is_not(None), streams.c.erased_at.is_(None))
        .where(or_(old, streams.c.has_words.is_(True) & words_old))
    )


def _lock(connection: Connection, numbers: Sequence[int]) -> None:
    """Lock streams, in one order and before their chapters, so that two who write never wait for each other."""
    rows = select(streams.c.number).where(streams.c.number.in_(numbers)).order_by(streams.c.number)
    connection.execute(rows.with_for_update())


def _of_streamer() -> ColumnElement[bool]:
    return and_(streams.c.owner == streamers.c.owner, streams.c.streamer_key == streamers.c.streamer_key)


def _mark_erased(connection: Connection, number: int) -> None:
    # has_words: whatever it held, what was kept of its chunks has to go too.
    values = with_new_version(**_ERASED_VALUES, erased_at=now(), ended_at=now(), has_words=True)
    connection.execute(update(streams).where(streams.c.number == number, streams.c.erased_at.is_(None)).values(values))
    connection.execute(delete(markers).where(markers.c.stream == number))


def note_erased(connection: Connection, fact: str = WORDS_ERASED) -> None:
    """Remember that the index and the files go on holding words that were erased."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    token = secrets.token_hex(8)
    noted = dialect.insert(facts).values(name=fact, value=token)
    connection.execute(noted.on_conflict_do_update(index_elements=["name"], set_={"value": token}))
