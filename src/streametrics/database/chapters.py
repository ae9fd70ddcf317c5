"""Keeps the chapters of streams: closed once, by the writer that knows the stream as it is, and read for clients."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, or_, select, update

from streametrics.database.engine import Database, now, statement_now
from streametrics.database.stream_joining import write_as_read
from streametrics.database.stream_tables import CHAPTERS_DUE, WANTS_MODEL, chapters, stream_chunks, streams
from streametrics.database.streams import StreamRecord, select_streams, stream_of, with_new_version
from streametrics.recap.boundaries import Boundary
from streametrics.recap.chapters import Chapter, ChapterText
from streametrics.recap.marks import HeardChunk
from streametrics.recap.spoken import SpokenSentence
from streametrics.streams.chunks import ChunkSummary
from streametrics.streams.coverage import ChunkState

#: The writer of what a person has written.
PERSON = "person"
#: Streams whose chapters one round looks at.
MOST_DUE = 200
#: A stream's chapters are looked at again when so much more of it was heard, in seconds.
LOOK_EVERY_S = 60.0


class ChapterRecords:
    """Reads and writes chapters. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self) -> list[int]:
        """Read the numbers of the streams whose chapters have to be looked at."""
        seen_s = streams.c.chapters_seen_s
        is_news = or_(streams.c.ended_at.is_not(None), seen_s.is_(None), streams.c.end_s >= seen_s + LOOK_EVERY_S)
        query = select(streams.c.number).where(CHAPTERS_DUE, is_news, streams.c.erased_at.is_(None)).limit(MOST_DUE)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def heard_chunks(self, number: int, *, start_s: float) -> list[HeardChunk]:
        """Read a stream's chunks whose sound was heard from there on, in the order of its time."""
        table = stream_chunks
        query = (
            select(table.c.start_s, table.c.end_s, table.c.title, table.c.game)
            .where(table.c.stream == number, table.c.end_s > start_s, table.c.state == ChunkState.HEARD)
            .order_by(table.c.start_s)
        )
        with self._database.read() as connection:
            return [HeardChunk(*row) for row in connection.execute(query).all()]

    def newest_summary(self, number: int) -> tuple[float, float, ChunkSummary] | None:
        """Read where the newest chunk with a summary of its own lies, and that summary."""
        table = stream_chunks
        query = (
            select(table.c.start_s, table.c.end_s)
            .add_columns(table.c.summary, table.c.summary_source, table.c.summary_model, table.c.summary_language)
            .where(table.c.stream == number, table.c.summary.is_not(None))
            .order_by(table.c.start_s.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row[0], row[1], ChunkSummary(*row[2:]))

    def write(self, stream: StreamRecord, closed: Sequence[Chapter], opens: Boundary) -> None:
        """Close chapters of a stream as it was read, and note that it was looked at. Raises Overtaken.

        opens: why the open chapter begins behind them.
        """
        looked: dict[str, Any] = {"chapters_due": None, "chapters_seen_s": stream.end_s}
        if closed:
            looked |= with_new_version(
                chapter_count=stream.chapter_count + len(closed),
                chapter_start_s=closed[-1].end_s,
                chapter_boundary=opens,
                has_recaps=True,
            )
        with self._database.write() as connection:
            write_as_read(connection, stream, looked)
            if closed:
                at = connection.execute(select(now())).scalar_one()
                rows = [_values(stream.number, each) | {"closed_at": at, "wants_model": True} for each in closed]
                connection.execute(insert(chapters), rows)

    def rewrite(self, stream: StreamRecord, chapter: Chapter, text: ChapterText) -> None:
        """Write anew what is said of a chapter whose words were erased, but for what a person has written.

        Raises Overtaken.
        """
        values = {**_text_values(text), "is_stale": None}
        if chapter.title_edited:
            del values["title"]
        if chapter.summary_edited:
            del values["summary"], values["sentences"], values["summary_source"], values["summary_model"]
        self._change(stream, chapter.place, values)

    def edit(self, stream: StreamRecord, chapter: Chapter, *, title: str | None, summary: str | None) -> None:
        """Set what a person says of a chapter; None for what stays. Raises Overtaken."""
        values: dict[str, Any] = {}
        if title is not None:
            values |= {"title": title, "title_edited": True}
        if summary is not None:
            values |= {"summary": summary, "summary_edited": True, "sentences": []}
            values |= {"summary_source": PERSON, "summary_model": None}
        self._change(stream, chapter.place, values)

    def claim_for_model(self, holder: str, *, within_s: float, lease_s: float) -> tuple[StreamRecord, Chapter] | None:
        """Claim the newest chapter of which a model may write, and its stream for so long; None where there is none.

        within_s: how long ago it was closed at most; what is older stays as it was picked.
        """
        is_free = or_(streams.c.lease_until.is_(None), streams.c.lease_until < now())
        query = (
            select(chapters.c.stream)
            .join(streams, streams.c.number == chapters.c.stream)
            .where(WANTS_MODEL, chapters.c.closed_at > statement_now() - within_s, is_free, *_writable())
            .where(streams.c.erased_at.is_(None))
            .order_by(chapters.c.closed_at.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            number = connection.execute(query).scalar_one_or_none()
        if number is None:
            return None
        with self._database.write() as connection:
            claim = update(streams).where(streams.c.number == number, is_free)
            values = {"lease_until": now() + lease_s, "claimed_by": holder, "attempt": streams.c.attempt + 1}
            if connection.execute(claim.values(values)).rowcount != 1:
                return None
            stream = connection.execute(select_streams().where(streams.c.number == number)).one()
            newest = select(chapters).where(chapters.c.stream == number, WANTS_MODEL, *_writable())
            row = connection.execute(newest.order_by(chapters.c.place.desc()).limit(1)).one_or_none()
            if row is None:
                connection.execute(update(streams).where(streams.c.number == number).values(lease_until=None))
        return None if row is None else (stream_of(stream), _chapter(row))

    def release(self, stream: StreamRecord, holder: str) -> None:
        """Give a claimed stream back."""
        with self._database.write() as connection:
            mine = [streams.c.number == stream.number, streams.c.claimed_by == holder]
            connection.execute(update(streams).where(*mine).values(lease_until=None, claimed_by=None))

    def settle(self, stream: StreamRecord, chapter: Chapter, text: ChapterText | None) -> bool:
        """Write what a model said of a chapter, once, or with None that it says nothing.

        False where words of it were erased, or a person wrote of it, since it was read.
        """
        as_read = [
            chapters.c.stream == stream.number,
            chapters.c.place == chapter.place,
            chapters.c.revision == chapter.revision,
            *_writable(),
        ]
        values: dict[str, Any] = {"wants_model": None}
        if text is not None:
            values |= {**_text_values(text), "revision": chapter.revision + 1}
        with self._database.write() as connection:
            # The stream's row before its chapters', as everybody does: two never wait for each other.
            connection.execute(select(streams.c.number).where(streams.c.number == stream.number).with_for_update())
            if connection.execute(update(chapters).where(*as_read).values(values)).rowcount != 1:
                return False
            if text is not None:
                connection.execute(update(streams).where(streams.c.number == stream.number).values(with_new_version()))
        return True

    def of(self, number: int) -> list[Chapter]:
        """Read a stream's closed chapters, in order."""
        query = select(chapters).where(chapters.c.stream == number).order_by(chapters.c.place)
        with self._database.read() as connection:
            return [_chapter(row) for row in connection.execute(query).all()]

    def _change(self, stream: StreamRecord, place: int, values: dict[str, Any]) -> None:
        this = [chapters.c.stream == stream.number, chapters.c.place == place]
        with self._database.write() as connection:
            write_as_read(connection, stream, with_new_version())
            revised = {**values, "revision": chapters.c.revision + 1}
            connection.execute(update(chapters).where(*this).values(revised))


def _writable() -> list[ColumnElement[bool]]:
    """Say of which chapters a model may write: no person has, and no word of them was erased since."""
    return [
        chapters.c.is_stale.is_(None),
        chapters.c.title_edited.is_(False),
        chapters.c.summary_edited.is_(False),
    ]


def _text_values(text: ChapterText) -> dict[str, Any]:
    return {
        "title": text.title,
        "summary": text.summary,
        "keywords": list(text.keywords),
        "sentences": [list(astuple(sentence)) for sentence in text.sentences],
        "summary_source": text.source,
        "summary_model": text.model,
    }


def _values(number: int, chapter: Chapter) -> dict[str, Any]:
    first, last = chapter.segments or (None, None)
    return {
        "stream": number,
        "place": chapter.place,
        "start_s": chapter.start_s,
        "end_s": chapter.end_s,
        "boundary": chapter.boundary,
        "first_segment": first,
        "last_segment": last,
        **_text_values(chapter.text),
    }


def _sentences(stored: object) -> tuple[SpokenSentence, ...]:
    try:
        return tuple(SpokenSentence(*sentence) for sentence in stored)  # type: ignore[attr-defined] # or a TypeError
    except TypeError:
        return ()


def _chapter(row: Row[Any]) -> Chapter:
    # Damaged JSON leaves a chapter that can be read.
    keywords = row.keywords if isinstance(row.keywords, list) else []
    text = ChapterText(
        title=row.title,
        summary=row.summary,
        keywords=tuple(keywords),
        sentences=_sentences(row.sentences),
        source=row.summary_source,
        model=row.summary_model,
    )
    return Chapter(
        place=row.place,
        start_s=row.start_s,
        end_s=row.end_s,
        boundary=Boundary(row.boundary),
        text=text,
        segments=None if row.first_segment is None else (row.first_segment, row.last_segment),
        title_edited=row.title_edited,
        summary_edited=row.summary_edited,
        revision=row.revision,
        is_stale=bool(row.is_stale),
    )
