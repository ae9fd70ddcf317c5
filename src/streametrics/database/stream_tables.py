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
