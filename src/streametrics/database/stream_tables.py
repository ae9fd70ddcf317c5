"""Defines the tables of streams. Positions are seconds from the beginning of a stream's first chunk."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text, false
from sqlalchemy.dialects.postgresql import TSVECTOR

from streametrics.database.tables import StoredJson, lease_columns, metadata

#: A segment's id is its stream's number and, in this many bits, its own number there: so ids are known before they are
#: written, and the newest come last.
SEGMENT_BITS = 24

_segment_id = BigInteger().with_variant(Integer, "sqlite")

streams = Table(
    "streams",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("streamer_key", Text, nullable=False),
    Column("streamer", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("game", Text, nullable=False),
    Column("clock", String(8), nullable=False),
    #: `streams.placing.Timeline`.
    Column("timeline", StoredJson, nullable=False),
    Column("speech_language", String(8)),
    Column("summary_languages", StoredJson, nullable=False),
    Column("started_at", Float, nullable=False),
    #: Null while it is live; of one that nobody ended, when its last chunk came.
    Column("ended_at", Float),
    Column("erased_at", Float),
    #: When its first chunk came, and its last one.
    Column("first_received_at", Float, nullable=False),
    Column("last_received_at", Float, nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    #: From a chunk's last byte until its words were here, of the last one.
    Column("lag_s", Float, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("segment_count", Integer, nullable=False),
    #: Whether any of its words are kept.
    Column("has_words", Boolean, nullable=False, default=False, server_default=false()),
    #: Raised by every write: an old value marks a writer that was overtaken.
    Column("state_version", Integer, nullable=False),
    Column("updated_at", Float, nullable=False),
    #: Whether any chapter, or summary of a chunk, is kept.
    Column("has_recaps", Boolean, nullable=False, default=False, server_default=false()),
    #: Whether a chunk has come, or it has ended, since its chapters were looked at; null for no.
    Column("chapters_due", Boolean),
    #: Up to where it was heard then.
    Column("chapters_seen_s", Float),
    #: The closed ones; the open one begins here, for this reason. Null for the beginning.
    Column("chapter_count", Integer, nullable=False, default=0, server_default="0"),
    Column("chapter_start_s", Float),
    Column("chapter_boundary", String(8)),
    #: What was said to be forgotten, as [start, end] in order; null for nothing.
    Column("forgotten", StoredJson(none_as_null=True)),
    #: [start, end] of all that is still to be taken out of the rows; null for nothing.
    Column("forgetting", StoredJson(none_as_null=True)),
    #: When its streamer had paused, as [start, end]; the last end is null until it goes on.
    Column("pauses", StoredJson(none_as_null=True)),
    *lease_columns(),
)
_IS_OPEN = streams.c.ended_at.is_(None)
Index(
    "streams_open",
    streams.c.owner,
    streams.c.streamer_key,
    unique=True,
    sqlite_where=_IS_OPEN,
    postgresql_where=_IS_OPEN,
)
Index("streams_by_streamer", streams.c.owner, streams.c.streamer_key, streams.c.number)
Index("streams_by_end", streams.c.ended_at)
CHAPTERS_DUE = streams.c.chapters_due.is_(True)
Index("streams_chapters_due", streams.c.number, sqlite_where=CHAPTERS_DUE, postgresql_where=CHAPTERS_DUE)

stream_chunks = Table(
    "stream_chunks",
    metadata,
    #: Its job: a chunk joins once.
    Column("task_id", String(36), primary_key=True),
    Column("stream", Integer, nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    #: `streams.coverage.ChunkState`.
    Column("state", String(12), nullable=False),
    Column("speech_s", Float, nullable=False),
    Column("transcribed_s", Float, nullable=False),
    Column("seq", Integer),
    #: SHA-256 of its fields and words; null where it has too few to know it again.
    Column("fingerprint", String(64)),
    #: As they were sent; null in those that joined before they were kept.
    Column("title", Text),
    Column("game", Text),
    #: Its own summary, and who wrote it in which language; null where nobody spoke.
    Column("summary", Text),
    Column("summary_source", String(20)),
    Column("summary_model", Text),
    Column("summary_language", String(35)),
)
Index("stream_chunks_by_place", stream_chunks.c.stream, stream_chunks.c.start_s)
Index("stream_chunks_by_fingerprint", stream_chunks.c.stream, stream_chunks.c.fingerprint)

stream_segments = Table(
    "stream_segments",
    metadata,
    Column("id", _segment_id, primary_key=True, autoincrement=False),
    Column("stream", Integer, nullable=False),
    Column("task_id", String(36), nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("language", String(8)),
    #: As [start, end, text].
    Column("words", StoredJson, nullable=False),
)
Index("stream_segments_by_place", stream_segments.c.stream, stream_segments.c.start_s)
Index("stream_segments_by_job", stream_segments.c.task_id)

#: Closed chapters: borders never change, what is said of them may.
chapters = Table(
    "chapters",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("stream", Integer, nullable=False),
    #: Counted from 1.
    Column("place", Integer, nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    #: `recap.boundaries.Boundary`: why it begins there.
    Column("boundary", String(8), nullable=False),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("keywords", StoredJson, nullable=False),
    #: What its summary was picked from: [text, start, end, first segment, last segment, language].
    Column("sentences", StoredJson, nullable=False),
    #: The first and last segment said in it, by their numbers.
    Column("first_segment", Integer),
    Column("last_segment", Integer),
    Column("summary_source", String(20), nullable=False),
    Column("summary_model", Text),
    #: What a person wrote is not replaced.
    Column("title_edited", Boolean, nullable=False, default=False, server_default=false()),
    Column("summary_edited", Boolean, nullable=False, default=False, server_default=false()),
    Column("revision", Integer, nullable=False, default=1, server_default="1"),
    #: Whether words of it were erased since it was written; null for no.
    Column("is_stale", Boolean),
    Column("closed_at", Float, nullable=False),
    #: Whether a model may still write of it; null for no.
    Column("wants_model", Boolean),
)
WANTS_MODEL = chapters.c.wants_model.is_(True)
Index("chapters_for_model", chapters.c.closed_at, sqlite_where=WANTS_MODEL, postgresql_where=WANTS_MODEL)
Index("chapters_by_place", chapters.c.stream, chapters.c.place, unique=True)

#: The index of segments by their words, `streams.search_terms`: FTS5 in SQLite, lexemes with places in PostgreSQL.
stream_words = Table(
    "stream_words",
    metadata,
    #: A segment's id.
    Column("rowid", _segment_id, primary_key=True, autoincrement=False),
    Column("words", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
)

#: What the owner of a streamer's streams has said about them; no row where that is nothing.
streamers = Table(
    "streamers",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("streamer_key", Text, primary_key=True),
    #: Null while its chunks are heard.
    Column("paused_at", Float),
    Column("hidden_words", StoredJson, nullable=False),
    Column("summary_languages", StoredJson, nullable=False),
    #: Null for the service's own.
    Column("transcript_days", Float),
    Column("recap_days", Float),
    #: Whether words that were stored before are still to be hidden.
    Column("hides", Boolean, nullable=False, default=False, server_default=false()),
    Column("updated_at", Float, nullable=False),
)

markers = Table(
    "markers",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("stream", Integer, nullable=False),
    Column("position_s", Float, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
Index("markers_by_stream", markers.c.stream, markers.c.number)
