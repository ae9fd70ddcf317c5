"""Reads streams for clients: one, lists of them and of their streamers, their chunks and words."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Label, Row, Select, func, null, select, update

from streametrics.database.engine import Database, now
from streametrics.database.stream_tables import SEGMENT_BITS, stream_chunks, stream_segments, streamers, streams
from streametrics.domain.transcript import Segment, TimeSpan, Word
from streametrics.streams.coverage import ChunkState, Extent
from streametrics.streams.placing import Timeline
from streametrics.streams.streamer_settings import NOTHING_SAID, StreamerSettings

#: No segment is longer, in seconds: by it those of a stretch are found in the index of their beginnings.
LONGEST_SEGMENT_S = 3_600.0


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A stream's row. Instants are seconds since 1970, positions seconds from the beginning of its first chunk.

    ended_for_s: since its end; None while it is live.
    """

    number: int
    id: str
    owner: str
    streamer_key: str
    streamer: str
    title: str
    game: str
    timeline: Timeline
    speech_language: str | None
    summary_languages: tuple[str, ...]
    started_at: float
    ended_at: float | None
    ended_for_s: float | None
    is_erased: bool
    start_s: float
    end_s: float
    lag_s: float
    has_words: bool
    state_version: int
    updated_at: float
    #: The closed ones; the open one begins at chapter_start_s (None: where the stream does) for this reason.
    chapter_count: int = 0
    chapter_start_s: float | None = None
    chapter_boundary: str | None = None
    #: What was said to be forgotten, in order.
    forgotten: tuple[TimeSpan, ...] = ()
    #: When its streamer had paused, in order; the last one reaches on for ever while that is so.
    pauses: tuple[TimeSpan, ...] = ()
    #: What is said about its streamer.
    said: StreamerSettings = NOTHING_SAID
    #: Since its last chunk came, in seconds.
    quiet_s: float = field(default=0.0, compare=False)

    @property
    def is_paused(self) -> bool:
        """Whether its streamer has paused now."""
        return self.said.paused_at is not None


@dataclass(frozen=True, slots=True)
class StreamerRecord:
    """A streamer of whom there are streams: how many, and the newest one."""

    newest: StreamRecord
    stream_count: int


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A stored segment: its number in its stream, the job of its chunk, and its words on the stream's timeline."""

    number: int
    task_id: str
    segment: Segment


class StreamRecords:
    """Reads streams; owner: None for everybody's. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, stream_id: str) -> StreamRecord | None:
        """Read a stream's row; None for an id that was never given out."""
        with self._database.read() as connection:
            row = connection.execute(select_streams().where(streams.c.id == stream_id)).one_or_none()
        return None if row is None else stream_of(row)

    def by_number(self, number: int) -> StreamRecord | None:
        """Read a stream's row by its number; None where it is gone."""
        with self._database.read() as connection:
            row = connection.execute(select_streams().where(streams.c.number == number)).one_or_none()
        return None if row is None else stream_of(row)

    def newest(self, owner: str | None, streamer_key: str) -> StreamRecord | None:
        """Read the streamer's newest stream that is not erased."""
        query = _visible(owner).where(streams.c.streamer_key == streamer_key).order_by(streams.c.number.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else stream_of(row)

    def page(
        self,
        owner: str | None,
        *,
        streamer_key: str | None,
        is_live: bool | None,
        is_paused: bool | None = None,
        before: int | None,
        limit: int,
    ) -> list[StreamRecord]:
        """Read streams, the newest first, behind the number `before`. is_live, is_paused: None for all."""
        query = _visible(owner).order_by(streams.c.number.desc()).limit(limit)
        if streamer_key is not None:
            query = query.where(streams.c.streamer_key == streamer_key)
        if is_live is not None:
            query = query.where(streams.c.ended_at.is_(None) if is_live else streams.c.ended_at.is_not(None))
        if is_paused is not None:
            paused_at = _said("paused_at").element
            query = query.where(paused_at.is_not(None) if is_paused else paused_at.is_(None))
        if before is not None:
            query = query.where(streams.c.number < before)
        with self._database.read() as connection:
            return [stream_of(row) for row in connection.execute(query).all()]

    def streamers(self, owner: str | None, *, before: int | None, limit: int) -> list[StreamerRecord]:
        """Read the streamers, by their newest stream's number behind `before`."""
        groups = (
            select(func.max(streams.c.number).label("newest"), func.count().label("stream_count"))
            .where(streams.c.erased_at.is_(None), *_owned(owner))
            .group_by(streams.c.owner, streams.c.streamer_key)
            .subquery()
        )
        query = select_streams(groups.c.stream_count).select_from(
            streams.join(groups, groups.c.newest == streams.c.number)
        )
        query = query.order_by(streams.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(streams.c.number < before)
        with self._database.read() as connection:
            return [StreamerRecord(stream_of(row), row.stream_count) for row in connection.execute(query).all()]

    def extents(self, number: int) -> list[Extent]:
        """Read where a stream's chunks lie, in order."""
        columns = [stream_chunks.c[name] for name in ("start_s", "end_s", "state", "speech_s", "transcribed_s", "seq")]
        query = select(*columns).where(stream_chunks.c.stream == number).order_by(stream_chunks.c.start_s)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Extent(row[0], row[1], ChunkState(row[2]), row[3], row[4], row[5]) for row in rows]

    def segments(self, number: int, *, start_s: float, end_s: float, with_words: bool = True) -> list[StoredSegment]:
        """Read a stream's segments between two positions, in the order of its time; with the times of their words."""
        table = stream_segments
        words = table.c.words if with_words else null().label("words")
        query = (
            select(table.c.id, table.c.task_id, table.c.start_s, table.c.end_s, table.c.text)
            .add_columns(table.c.language, words)
            .where(table.c.stream == number, table.c.start_s < end_s, table.c.start_s > start_s - LONGEST_SEGMENT_S)
            .where(table.c.end_s > start_s)
            .order_by(table.c.start_s, table.c.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [segment_of(row) for row in rows]

    def end(self, number: int) -> None:
        """End a live stream; the next chunk begins another one."""
        with self._database.write() as connection:
            connection.execute(
                update(streams)
                .where(streams.c.number == number, streams.c.ended_at.is_(None))
                .values(with_new_version(ended_at=now(), chapters_due=True))
            )


def with_new_version(**values: object) -> dict[str, Any]:
    """Add to values of a stream what every change that clients see raises."""
    return {"state_version": streams.c.state_version + 1, "updated_at": now(), **values}


def segment_ids(number: int) -> tuple[int, int]:
    """Give the first and last id that segments of this stream can have."""
    first = number << SEGMENT_BITS
    return first, first + (1 << SEGMENT_BITS) - 1


def select_streams(*more: Any) -> Select[Any]:  # noqa: ANN401 - any column
    """Select streams, with the time since their end and since their last chunk."""
    ended_for_s = (now() - streams.c.ended_at).label("ended_for_s")
    quiet_s = (now() - streams.c.last_received_at).label("quiet_s")
    return select(streams, ended_for_s, quiet_s, *map(_said, _SETTINGS), *more)


def _said(name: str) -> Label[Any]:
    """Select what is said about a stream's streamer, as `streamer_…`."""
    own = [streamers.c.owner == streams.c.owner, streamers.c.streamer_key == streams.c.streamer_key]
    return select(streamers.c[name]).where(*own).correlate(streams).scalar_subquery().label(f"streamer_{name}")


_SETTINGS = ("paused_at", "hidden_words", "summary_languages", "transcript_days", "recap_days")


def settings_of(row: Row[Any], *, prefix: str = "") -> StreamerSettings:
    """Read a streamer's settings from columns whose names begin with `prefix`; null where nothing is said."""
    found = {name: getattr(row, prefix + name) for name in _SETTINGS}
    for name in ("hidden_words", "summary_languages"):
        found[name] = tuple(found[name]) if isinstance(found[name], list) else ()
    return StreamerSettings(**found)


def stream_of(row: Row[Any]) -> StreamRecord:
    return StreamRecord(
        number=row.number,
        id=row.id,
        owner=row.owner,
        streamer_key=row.streamer_key,
        streamer=row.streamer,
        title=row.title,
        game=row.game,
        timeline=Timeline.from_json(row.timeline),
        speech_language=row.speech_language,
        summary_languages=tuple(row.summary_languages),
        started_at=row.started_at,
        ended_at=row.ended_at,
        ended_for_s=row.ended_for_s,
        is_erased=row.erased_at is not None,
        start_s=row.start_s,
        end_s=row.end_s,
        lag_s=row.lag_s,
        has_words=row.has_words,
        state_version=row.state_version,
        updated_at=row.updated_at,
        chapter_count=row.chapter_count,
        chapter_start_s=row.chapter_start_s,
        chapter_boundary=row.chapter_boundary,
        forgotten=spans_of(row.forgotten),
        pauses=spans_of(row.pauses),
        said=settings_of(row, prefix="streamer_"),
        quiet_s=row.quiet_s,
    )


def spans_of(stored: object) -> tuple[TimeSpan, ...]:
    """Read stored spans; one without an end reaches on for ever."""
    pairs = stored if isinstance(stored, list) else []
    return tuple(TimeSpan(start, math.inf if end is None else end) for start, end in pairs)


def spans_json(spans: Iterable[TimeSpan]) -> list[list[float | None]] | None:
    """Write spans as they are stored; None for none."""
    return [[span.start_s, None if span.end_s == math.inf else span.end_s] for span in spans] or None


def _visible(owner: str | None) -> Select[Any]:
    return select_streams().where(streams.c.erased_at.is_(None), *_owned(owner))


def _owned(owner: str | None) -> list[Any]:
    return [] if owner is None else [streams.c.owner == owner]


def segment_of(row: Row[Any], *, prefix: str = "") -> StoredSegment:
    """Read a segment from columns whose names begin with `prefix`."""
    start, end, text, language, words = (
        getattr(row, prefix + name) for name in ("start_s", "end_s", "text", "language", "words")
    )
    # Damaged words leave the text, which can be read without their times.
    timed = tuple(Word(*word) for word in words) if isinstance(words, list) else ()
    number = getattr(row, f"{prefix}id") & ((1 << SEGMENT_BITS) - 1)
    segment = Segment(start, end, text, words=timed, language=language)
    return StoredSegment(number, getattr(row, f"{prefix}task_id"), segment)
