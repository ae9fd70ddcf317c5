"""Takes out of a stream's rows what its owner says to forget: words, the index's entries, and the jobs' own results.

What was said to be forgotten is remembered first, in one short transaction. From then on no chunk joins with such
words, and whoever dies over the rest leaves `forgetting`, from which retention goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from streametrics.database.engine import Database
from streametrics.database.erasure import Erased, empty
from streametrics.database.stream_erasure import CHAPTERS_TO_REWRITE, SLACK_S, empty_chapters, note_erased
from streametrics.database.stream_joining import Overtaken, index_text, insert_segments, segment_values
from streametrics.database.stream_search import WORDS_FORGOTTEN
from streametrics.database.stream_tables import (
    SEGMENT_BITS,
    markers,
    stream_chunks,
    stream_segments,
    stream_words,
    streams,
)
from streametrics.database.streams import (
    LONGEST_SEGMENT_S,
    StreamRecord,
    segment_of,
    spans_json,
    spans_of,
    with_new_version,
)
from streametrics.database.tables import TO_JOIN, jobs
from streametrics.domain.transcript import Segment, TimeSpan
from streametrics.streams.chunks import StreamSegment, length_of_all
from streametrics.streams.coverage import ChunkState
from streametrics.streams.hidden_words import Phrase, hide
from streametrics.streams.redaction import lies_in, meets, merged, remains
from streametrics.streams.search_terms import words_of

#: Chunks whose words one transaction looks at: SQLite's other writers wait meanwhile.
PAGE = 50
#: The most streams that one round of retention goes on with.
MOST_STREAMS = 100


@dataclass(frozen=True, slots=True)
class UnjoinedChunk:
    """A chunk that has not joined its stream yet, and where it is expected to lie, in seconds."""

    task_id: str
    start_s: float
    end_s: float


@dataclass(slots=True)
class Redacted:
    """What was taken out. stopped: jobs that were in work, with the keys of their audio. after: where to go on."""

    segments: int = 0
    erased: set[str] = field(default_factory=set)
    stopped: dict[str, str | None] = field(default_factory=dict)
    after: tuple[float, str] | None = None

    def add(self, other: "Redacted") -> None:
        """Add what a further step took out."""
        self.segments += other.segments
        self.erased |= other.erased
        self.stopped |= other.stopped
        self.after = other.after

    def note(self, task_id: str, erased: Erased) -> None:
        """Add a job that was emptied."""
        if erased.was_erased:
            self.erased.add(task_id)
        if erased.was_stopped:
            self.stopped[task_id] = erased.audio_key


class Redaction:
    """Forgets stretches of streams. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, stream: StreamRecord, span: TimeSpan, unjoined: Sequence[UnjoinedChunk]) -> Redacted:
        """Remember a stretch, and stop or empty the chunks on their way into it. Raises Overtaken."""
        done = Redacted()
        with self._database.write() as connection:
            # Jobs before their stream, as who joins them does.
            waiting = _locked_jobs(connection, [chunk.task_id for chunk in unjoined], TO_JOIN)
            row = _locked_stream(connection, stream.number)
            if row is None or row.state_version != stream.state_version:
                raise Overtaken
            for chunk in unjoined:
                if (job := waiting.get(chunk.task_id)) is not None:
                    done.note(chunk.task_id, empty(connection, job))
                    _insert_forgotten(connection, stream, chunk)
            inside = [markers.c.position_s >= span.start_s, markers.c.position_s < span.end_s]
            connection.execute(delete(markers).where(markers.c.stream == stream.number, *inside))
            pending = [*spans_of([row.forgetting] if row.forgetting else None), span]
            whole = TimeSpan(min(each.start_s for each in pending), max(each.end_s for each in pending))
            _write_stream(
                connection,
                stream.number,
                forgotten=spans_json(merged([*spans_of(row.forgotten), span])),
                forgetting=[whole.start_s, whole.end_s],
                chunk_count=streams.c.chunk_count + len(waiting),
            )
            note_erased(connection, WORDS_FORGOTTEN)
        return done

    def pending(self, number: int) -> TimeSpan | None:
        """Read what is still to be taken out of a stream's rows."""
        with self._database.read() as connection:
            found = connection.execute(select(streams.c.forgetting).where(streams.c.number == number)).scalar()
        return TimeSpan(*found) if found else None

    def all_pending(self) -> list[int]:
        """Read the streams of which something is still to be taken out, as a process died over it."""
        query = select(streams.c.number).where(streams.c.forgetting.is_not(None)).limit(MOST_STREAMS)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def carry_out(self, number: int) -> Redacted:
        """Take all that is pending out of a stream's rows; harmless where others do so too."""
        done = Redacted()
        while (span := self.pending(number)) is not None:
            done.after = None
            while True:
                done.add(self._page(number, span, done.after))
                if done.after is None:
                    break
            if self._finish(number, span):
                break
        return done

    def _page(self, number: int, span: TimeSpan, after: tuple[float, str] | None) -> Redacted:
        """Take what was forgotten out of the next chunks of a span."""
        table = stream_chunks
        query = (
            select(table.c.task_id, table.c.start_s, table.c.end_s)
            .where(table.c.stream == number, table.c.start_s < span.end_s + SLACK_S)
            .where(table.c.start_s > span.start_s - SLACK_S - LONGEST_SEGMENT_S)
            .order_by(table.c.start_s, table.c.task_id)
            .limit(PAGE)
        )
        if after is not None:
            query = query.where(table.c.start_s >= after[0])
            query = query.where((table.c.start_s > after[0]) | (table.c.task_id > after[1]))
        with self._database.read() as connection:
            chunks = connection.execute(query).all()
        done = Redacted(after=(chunks[-1].start_s, chunks[-1].task_id) if len(chunks) == PAGE else None)
        near = [chunk for chunk in chunks if chunk.end_s > span.start_s - SLACK_S]
        if near:
            with self._database.write() as connection:
                self._redact(connection, number, near, done)
        return done

    def _redact(self, connection: Connection, number: int, chunks: Sequence[Any], done: Redacted) -> None:
        names = [chunk.task_id for chunk in chunks]
        found = _locked_jobs(connection, names)
        row = _locked_stream(connection, number)
        if row is None:
            return
        spans = spans_of(row.forgotten)
        segments = _segments_of(connection, names)
        count = row.segment_count
        emptied: list[str] = []
        for chunk in chunks:
            own = segments.get(chunk.task_id, [])
            left = {each.id: remains(segment_of(each).segment, spans) for each in own}
            changed = {each.id: left[each.id] for each in own if left[each.id] != [segment_of(each).segment]}
            is_met = meets(spans, chunk.start_s, chunk.end_s)
            if not changed and not (is_met and not own):
                continue
            count = _rewrite(connection, number, chunk.task_id, changed, count)
            done.segments += len(changed)
            spoken_s = length_of_all((piece.start, piece.end) for pieces in left.values() for piece in pieces)
            # What is left may lie a little outside of it: deleting it still finds its words then.
            is_whole = lies_in(spans, chunk.start_s, chunk.end_s) and not any(left.values())
            _write_chunk(connection, chunk.task_id, spoken_s, is_whole=is_whole)
            emptied.append(chunk.task_id)
        if not emptied:
            return
        for task_id in emptied:
            if task_id in found:
                done.note(task_id, empty(connection, found[task_id]))
        _empty_children(connection, emptied, done)
        empty_chapters(connection, emptied)
        _write_stream(connection, number, segment_count=count, **CHAPTERS_TO_REWRITE)
        note_erased(connection, WORDS_FORGOTTEN)

    def _finish(self, number: int, span: TimeSpan) -> bool:
        """Note that nothing is pending; False where more has come meanwhile."""
        with self._database.write() as connection:
            row = _locked_stream(connection, number)
            if row is not None and row.forgetting not in (None, [span.start_s, span.end_s]):
                return False
            # No view changes by it, so neither does the version.
            connection.execute(update(streams).where(streams.c.number == number).values(forgetting=None))
        return True


class Hiding:
    """Hides words in what is there. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hide(self, number: int, segment_ids: Sequence[int], phrases: Sequence[Phrase]) -> int:
        """Hide phrases in segments of a stream; returns in how many chunks they were."""
        query = select(stream_segments).where(stream_segments.c.id.in_(segment_ids))
        changed: set[str] = set()
        with self._database.write() as connection:
            _locked_stream(connection, number)
            for row in connection.execute(query).all():
                segment = segment_of(row).segment
                left = hide(segment, phrases)
                if left is not segment:
                    rewrite_segment(connection, row.id, left)
                    changed.add(row.task_id)
            if changed:
                empty_chapters(connection, list(changed))
                _write_stream(connection, number, **CHAPTERS_TO_REWRITE)
                note_erased(connection)
        return len(changed)


def _locked_jobs(connection: Connection, task_ids: Sequence[str], *conditions: Any) -> dict[str, Row[Any]]:  # noqa: ANN401
    """Read and lock jobs, in one order, so that two who do so never wait for each other."""
    query = select(jobs).where(jobs.c.task_id.in_(task_ids), *conditions).order_by(jobs.c.task_id).with_for_update()
    return {row.task_id: row for row in connection.execute(query).all()}


def _locked_stream(connection: Connection, number: int) -> Row[Any] | None:
    columns = [streams.c[name] for name in ("state_version", "forgotten", "forgetting", "segment_count")]
    return connection.execute(select(*columns).where(streams.c.number == number).with_for_update()).one_or_none()


def _write_stream(connection: Connection, number: int, **values: object) -> None:
    connection.execute(update(streams).where(streams.c.number == number).values(with_new_version(**values)))


def _insert_forgotten(connection: Connection, stream: StreamRecord, chunk: UnjoinedChunk) -> None:
    """Let a chunk that was stopped be told of as one that was forgotten; its job is its stream's from now on."""
    own = update(jobs).where(jobs.c.task_id == chunk.task_id)
    connection.execute(own.values(joins_stream=None, session_id=stream.id))
    extent = {"start_s": chunk.start_s, "end_s": chunk.end_s, "speech_s": 0.0, "transcribed_s": 0.0}
    values = {"task_id": chunk.task_id, "stream": stream.number, "state": ChunkState.FORGOTTEN, **extent}
    connection.execute(insert(stream_chunks).values(values))


def _segments_of(connection: Connection, task_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    query = select(stream_segments).where(stream_segments.c.task_id.in_(task_ids)).order_by(stream_segments.c.id)
    found: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query).all():
        found.setdefault(row.task_id, []).append(row)
    return found


def _rewrite(
    connection: Connection, number: int, task_id: str, changed: dict[int, list[Segment]], segment_count: int
) -> int:
    """Write what is left of segments: the first piece in its place, others behind all; returns how many there are."""
    gone = [segment_id for segment_id, pieces in changed.items() if not pieces]
    if gone:
        connection.execute(delete(stream_words).where(stream_words.c.rowid.in_(gone)))
        connection.execute(delete(stream_segments).where(stream_segments.c.id.in_(gone)))
    for segment_id, pieces in changed.items():
        if pieces:
            rewrite_segment(connection, segment_id, pieces[0])
    more = [StreamSegment(piece, tuple(words_of(piece.text))) for pieces in changed.values() for piece in pieces[1:]]
    insert_segments(connection, number, (number << SEGMENT_BITS) + segment_count, task_id, more)
    return segment_count + len(more)


def rewrite_segment(connection: Connection, segment_id: int, segment: Segment) -> None:
    """Write other words into a segment, and into the index."""
    own = update(stream_segments).where(stream_segments.c.id == segment_id)
    connection.execute(own.values(segment_values(segment)))
    words = index_text(tuple(words_of(segment.text)), is_postgresql=connection.dialect.name == "postgresql")
    connection.execute(update(stream_words).where(stream_words.c.rowid == segment_id).values(words=words))


def _write_chunk(connection: Connection, task_id: str, spoken_s: float, *, is_whole: bool) -> None:
    # Its fingerprint stays: by it the same sound, sent again, adds no words. Nobody can read them from it.
    values: dict[str, object] = {"speech_s": spoken_s, "transcribed_s": spoken_s}
    own = update(stream_chunks).where(stream_chunks.c.task_id == task_id)
    heard = stream_chunks.c.state == ChunkState.HEARD
    connection.execute(own.values(values))
    if is_whole:
        connection.execute(own.where(heard).values(state=ChunkState.FORGOTTEN))


def _empty_children(connection: Connection, task_ids: Sequence[str], done: Redacted) -> None:
    """Empty the jobs that resummarize these, and those that resummarize them."""
    parents = list(task_ids)
    while parents:
        # Also of those that are erased already, which leave their own as they are.
        query = select(jobs.c.task_id).where(jobs.c.parent_task_id.in_(parents))
        children = _locked_jobs(connection, list(connection.execute(query).scalars()))
        for task_id, job in children.items():
            done.note(task_id, empty(connection, job))
        parents = list(children)
