"""Finds segments by their words: by FTS5 in SQLite, by `tsvector` in PostgreSQL. Both are given the same words.

They are divided by `streams.search_terms` and not by the databases, whose own rules differ, and find no words in
scripts without spaces. A phrase stands within one segment, and so do all that are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Text, cast, literal, select, update
from sqlalchemy.dialects.postgresql import TSQUERY

from streametrics.database.engine import Database
from streametrics.database.stream_tables import stream_segments, stream_words, streams
from streametrics.database.streams import StoredSegment, StreamRecord, segment_of, select_streams, stream_of
from streametrics.database.tables import facts

#: Pages of the index that one transaction of its compaction writes at most, and how many transactions there are.
MERGED_PAGES, MOST_MERGES = 200, 10_000
#: The tables that hold what was said.
_WITH_WORDS = ("stream_segments", "stream_words", "stream_chunks", "chapters", "markers", "jobs", "notes", "parts")
#: The facts that say whether words were erased since the index was compacted, and whether it was said to forget them.
WORDS_ERASED, WORDS_FORGOTTEN = "words_erased", "words_forgotten"


@dataclass(frozen=True, slots=True)
class Hit:
    """A segment in which all that was asked for is said. place: by which the next page is found."""

    place: int
    stream: StreamRecord
    found: StoredSegment


class StreamSearch:
    """Searches the words of streams. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        phrases: Sequence[Sequence[str]],
        owner: str | None,
        *,
        streamer_key: str | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Hit]:
        """Find the segments that hold all phrases, those of the newest stream first, and in it the last ones said.

        owner: None for everybody's. before: the `place` behind which the page begins.
        """
        is_postgresql = self._database.engine.dialect.name == "postgresql"
        place = stream_words.c.rowid
        query = (
            select_streams(*(stream_segments.c[name].label(f"segment_{name}") for name in _SEGMENT_COLUMNS))
            .select_from(
                stream_words.join(stream_segments, place == stream_segments.c.id).join(
                    streams, stream_segments.c.stream == streams.c.number
                )
            )
            .where(_matches(phrases, is_postgresql=is_postgresql), streams.c.erased_at.is_(None))
            .order_by(place.desc())
            .limit(limit)
        )
        if owner is not None:
            query = query.where(streams.c.owner == owner)
        if streamer_key is not None:
            query = query.where(streams.c.streamer_key == streamer_key)
        if before is not None:
            query = query.where(place < before)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Hit(row.segment_id, stream_of(row), segment_of(row, prefix="segment_")) for row in rows]

    def compact(self) -> bool:
        """Rewrite what goes on holding words that were erased, the index and the file; False where nothing does.

        The index in transactions of a few pages each; PostgreSQL does that by itself.
        """
        if not (tokens := self._erased_since()):
            return False
        if self._database.engine.dialect.name == "sqlite":
            self._merge()
        if not self._database.overwrite_erased(_WITH_WORDS, rewrites=WORDS_FORGOTTEN in tokens):
            return False
        with self._database.write() as connection:
            for name, token in tokens.items():
                done = update(facts).where(facts.c.name == name, facts.c.value == token).values(value="")
                connection.execute(done)
        return True

    def _erased_since(self) -> dict[str, str]:
        names = facts.c.name.in_([WORDS_ERASED, WORDS_FORGOTTEN])
        query = select(facts.c.name, facts.c.value).where(names, facts.c.value != "")
        with self._database.read() as connection:
            return {row.name: row.value for row in connection.execute(query).all()}

    def _merge(self) -> None:
        """Merge all of FTS5's segments into one, as its documentation describes for doing it in steps."""
        pages = -MERGED_PAGES
        for _ in range(MOST_MERGES):
            with self._database.write() as connection:
                changes = _total_changes(connection)
                merge = "INSERT INTO stream_words (stream_words, rank) VALUES ('merge', ?)"
                connection.exec_driver_sql(merge, (pages,))
                if _total_changes(connection) - changes < 2:
                    return
            pages = MERGED_PAGES


_SEGMENT_COLUMNS = ("id", "task_id", "start_s", "end_s", "text", "language", "words")


def _total_changes(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT total_changes()").scalar_one())


def _matches(phrases: Sequence[Sequence[str]], *, is_postgresql: bool) -> ColumnElement[bool]:
    """Build the condition. Words are letters and digits, so that none of them can be read as a sign."""
    words = stream_words.c.words
    if is_postgresql:
        asked = " & ".join("(" + " <-> ".join(f"'{word}'" for word in phrase) + ")" for phrase in phrases)
        return words.op("@@", is_comparison=True)(cast(literal(asked, Text), TSQUERY))
    asked = " ".join('"' + " ".join(phrase) + '"' for phrase in phrases)
    return words.op("MATCH", is_comparison=True)(asked)
