"""Puts chunks into their streams, each once: one transaction takes the flag from its job and writes all it leaves.

A writer names the version of the stream that it has read. One that was overtaken changes nothing and reads again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from streametrics.database.engine import Database, now
from streametrics.database.erasure import empty
from streametrics.database.jobs import JobRecord, record_of, select_with
from streametrics.database.stream_erasure import note_erased
from streametrics.database.stream_search import WORDS_FORGOTTEN
from streametrics.database.stream_tables import (
    SEGMENT_BITS,
    stream_chunks,
    stream_segments,
    stream_words,
    streamers,
    streams,
)
from streametrics.database.streams import StreamRecord, select_streams, settings_of, stream_of
from streametrics.database.tables import TO_JOIN, jobs
from streametrics.domain.job import JobKind
from streametrics.domain.transcript import Segment
from streametrics.streams.chunks import ChunkSummary, JoiningChunk, StreamSegment
from streametrics.streams.placing import Placement
from streametrics.streams.streamer_settings import NOTHING_SAID, StreamerSettings

#: The most languages of summaries that a stream keeps.
MAX_LANGUAGES = 5


class Overtaken(Exception):
    """Another process has written to the stream since it was read."""


@dataclass(frozen=True, slots=True)
class WaitingChunk:
    """A live job that has not joined yet. ended_for_s: since it ended; None while it is in work."""

    task_id: str
    owner: str
    streamer: str
    time: str
    received_at: float
    received_for_s: float
    ended_for_s: float | None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The newest stream of a streamer. twin: where the same sound with the same fields lies there already."""

    stream: StreamRecord
    twin: tuple[float, float] | None
    last_received_at: float


@dataclass(frozen=True, slots=True)
class NewStream:
    """What a stream begins with."""

    id: str
    owner: str
    streamer_key: str
    started_at: float
    summary_languages: tuple[str, ...] = ()


class StreamJoining:
    """Reads what is to join, and joins it. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, limit: int | None = None, *, owner: str | None = None) -> list[WaitingChunk]:
        """Read the live jobs that have not joined yet, the oldest first; of more than `limit` those that have ended.

        owner: None for everybody's.
        """
        query = (
            select(jobs.c.task_id, jobs.c.owner, jobs.c.streamer, jobs.c.time_raw, jobs.c.received_at)
            .add_columns(now() - jobs.c.received_at, now() - jobs.c.finished_at, jobs.c.seq)
            .where(TO_JOIN, jobs.c.kind == JobKind.LIVE)
            # However many are in work, those that have ended do not wait for them.
            .order_by(jobs.c.finished_at.is_(None), jobs.c.received_at, jobs.c.task_id)
            .limit(limit)
        )
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        with self._database.read() as connection:
            found = [WaitingChunk(*row) for row in connection.execute(query).all()]
        return sorted(found, key=lambda chunk: (chunk.received_at, chunk.task_id))

    def chunk(self, task_id: str) -> JobRecord | None:
        """Read a chunk's row with its transcript; None where it has joined, or is gone."""
        query = select_with().where(jobs.c.task_id == task_id, TO_JOIN)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else record_of(row)

    def find(
        self, owner: str, streamer_key: str, fingerprint: str | None, *, received_at: float | None = None
    ) -> Found | None:
        """Read the streamer's newest stream, and where in it the chunk of this fingerprint lies.

        received_at: of the chunk; one that was slow belongs to the stream that was live when it came, if there was one.
        """
        was_live = and_(
            streams.c.first_received_at <= (received_at or 0.0),
            or_(streams.c.ended_at.is_(None), streams.c.ended_at >= (received_at or 0.0)),
        )
        same = stream_chunks.alias()
        twin = (
            select(func.min(same.c.task_id))
            .where(same.c.stream == streams.c.number, same.c.fingerprint == (fingerprint or ""))
            .scalar_subquery()
        )
        query = (
            select_streams(stream_chunks.c.start_s.label("twin_start_s"), stream_chunks.c.end_s.label("twin_end_s"))
            .select_from(streams.outerjoin(stream_chunks, stream_chunks.c.task_id == twin))
            .where(streams.c.owner == owner, streams.c.streamer_key == streamer_key)
            .order_by(case((was_live, 0), else_=1), streams.c.number.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        twin_at = None if row.twin_start_s is None else (row.twin_start_s, row.twin_end_s)
        return Found(stream_of(row), twin_at, row.last_received_at)

    def settings(self, owner: str, streamer_key: str) -> StreamerSettings:
        """Read what is said about a streamer of whom there is no stream."""
        own = [streamers.c.owner == owner, streamers.c.streamer_key == streamer_key]
        with self._database.read() as connection:
            row = connection.execute(select(streamers).where(*own)).one_or_none()
        return NOTHING_SAID if row is None else settings_of(row)

    def dismiss(self, task_id: str) -> None:
        """Let a chunk join nothing."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.task_id == task_id, TO_JOIN).values(joins_stream=None))

    def begin(
        self, new: NewStream, job: JobRecord, chunk: JoiningChunk, placement: Placement, before: StreamRecord | None
    ) -> bool:
        """Begin a stream with this chunk, ending the one `before`; False where it has joined. Raises Overtaken."""
        languages = dict.fromkeys(filter(None, [*new.summary_languages, job.request.language]))
        values = {
            "id": new.id,
            "owner": new.owner,
            "streamer_key": new.streamer_key,
            "streamer": job.request.streamer,
            "started_at": new.started_at,
            "first_received_at": job.received_at,
            "start_s": chunk.start_s,
            "end_s": chunk.end_s,
            "chunk_count": 1,
            "segment_count": len(chunk.segments),
            "has_words": bool(chunk.segments),
            "summary_languages": list(languages)[:MAX_LANGUAGES],
            "state_version": 1,
            **_common_values(job, chunk, placement),
        }
        try:
            with self._database.write() as connection:
                if not _take(connection, job, new.id):
                    return False
                if before is not None and before.ended_at is None:
                    ended = {
                        "ended_at": streams.c.last_received_at,
                        "state_version": streams.c.state_version + 1,
                        "chapters_due": True,
                    }
                    connection.execute(update(streams).where(*_as_read(before)).values(**ended))
                inserted = connection.execute(insert(streams).values(values)).inserted_primary_key
                assert inserted is not None
                _insert_chunk(connection, inserted[0], 0, chunk)
        except IntegrityError as error:
            if "streams" not in str(error.orig):
                raise  # a row of its own that cannot be
            raise Overtaken from error  # another one has begun it
        return True

    def join(self, stream: StreamRecord, job: JobRecord, chunk: JoiningChunk, placement: Placement) -> bool:
        """Add a chunk to a stream; False where it has joined. Raises Overtaken."""
        values = {
            "start_s": min(stream.start_s, chunk.start_s),
            "end_s": max(stream.end_s, chunk.end_s),
            "chunk_count": streams.c.chunk_count + 1,
            "segment_count": streams.c.segment_count + len(chunk.segments),
            "has_words": stream.has_words or bool(chunk.segments),
            "state_version": stream.state_version + 1,
            **_common_values(job, chunk, placement),
        }
        # Empty where a summary is in whatever is spoken.
        languages = dict.fromkeys(filter(None, [*stream.summary_languages, job.request.language]))
        values["summary_languages"] = list(languages)[:MAX_LANGUAGES]
        if placement.is_late:
            del values["title"], values["game"], values["lag_s"]
        with self._database.write() as connection:
            if not _take(connection, job, stream.id):
                return False
            written = update(streams).where(*_as_read(stream)).values(**values).returning(streams.c.segment_count)
            count = connection.execute(written).scalar_one_or_none()
            if count is None:
                raise Overtaken
            _insert_chunk(connection, stream.number, count - len(chunk.segments), chunk)
        return True


def write_as_read(connection: Connection, stream: StreamRecord, values: dict[str, Any]) -> None:
    """Write to a stream that is as it was read. Raises Overtaken."""
    if connection.execute(update(streams).where(*_as_read(stream)).values(values)).rowcount != 1:
        raise Overtaken


def _as_read(stream: StreamRecord) -> list[Any]:
    return [streams.c.number == stream.number, streams.c.state_version == stream.state_version]


def _common_values(job: JobRecord, chunk: JoiningChunk, placement: Placement) -> dict[str, Any]:
    values: dict[str, Any] = {
        "title": job.request.title,
        "game": job.request.game,
        "clock": placement.timeline.clock,
        "timeline": placement.timeline.to_json(),
        "last_received_at": placement.timeline.last_received_at,
        "lag_s": now() - job.received_at,
        "updated_at": now(),
        "chapters_due": True,
    }
    if chunk.summary is not None:
        values["has_recaps"] = True
    return values if chunk.speech_language is None else values | {"speech_language": chunk.speech_language}


def _take(connection: Connection, job: JobRecord, stream_id: str) -> bool:
    """Take the flag from a chunk's job; False where it is gone: another process has joined it, or it was erased."""
    taken = update(jobs).where(jobs.c.task_id == job.task_id, TO_JOIN).values(joins_stream=None, session_id=stream_id)
    return connection.execute(taken).rowcount == 1


def _insert_chunk(connection: Connection, number: int, segments_before: int, chunk: JoiningChunk) -> None:
    """Insert a chunk and its words; their ids follow those that are there."""
    connection.execute(
        insert(stream_chunks).values(
            task_id=chunk.task_id,
            stream=number,
            start_s=chunk.start_s,
            end_s=chunk.end_s,
            state=chunk.state,
            speech_s=chunk.speech_s,
            transcribed_s=chunk.transcribed_s,
            seq=chunk.seq,
            fingerprint=chunk.fingerprint,
            title=chunk.title,
            game=chunk.game,
            **_summary_values(chunk.summary),
        )
    )
    if chunk.erases_job:
        job = connection.execute(select(jobs).where(jobs.c.task_id == chunk.task_id)).one()
        empty(connection, job)
        note_erased(connection, WORDS_FORGOTTEN)
    first_id = (number << SEGMENT_BITS) + segments_before
    insert_segments(connection, number, first_id, chunk.task_id, chunk.segments)


def insert_segments(
    connection: Connection, number: int, first_id: int, task_id: str, segments: Sequence[StreamSegment]
) -> None:
    """Insert a chunk's words and what they are found by; their ids follow `first_id`."""
    if not segments:
        return
    is_postgresql = connection.dialect.name == "postgresql"
    rows: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    for segment_id, each in enumerate(segments, start=first_id):
        rows.append({"id": segment_id, "stream": number, "task_id": task_id, **segment_values(each.segment)})
        words.append({"rowid": segment_id, "words": index_text(each.words, is_postgresql=is_postgresql)})
    connection.execute(insert(stream_segments), rows)
    connection.execute(insert(stream_words), words)


def _summary_values(summary: ChunkSummary | None) -> dict[str, str | None]:
    if summary is None:
        return {}
    return {
        "summary": summary.text,
        "summary_source": summary.source,
        "summary_model": summary.model,
        "summary_language": summary.language,
    }


def segment_values(segment: Segment) -> dict[str, Any]:
    """Write a segment as it is stored."""
    stored = segment.to_stored_json()
    return {
        "start_s": stored["start"],
        "end_s": stored["end"],
        "text": stored["text"],
        "language": stored.get("language"),
        "words": stored.get("words", []),
    }


def index_text(words: tuple[str, ...], *, is_postgresql: bool) -> str:
    """Write words as the index takes them: FTS5 divides them by itself, PostgreSQL is given their places."""
    if not is_postgresql:
        return " ".join(words)
    return " ".join(f"'{word}':{place}" for place, word in enumerate(words, start=1))
