"""Streams, their chunks and segments, and the index of their words; the version before goes on without."""

import logging

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: Words are kept for longer than before: whoever updates is told at the first start.
_KEPT = (
    "event=stream_memory From now on live chunks also join their streamer's stream, and their words are kept there for "
    "STREAM_TRANSCRIPT_DAYS (7) after its end; STREAM_MEMORY=off turns it off."
)
logger = logging.getLogger("streametrics.database.migrate")

_TABLES = ("stream_segments", "stream_chunks", "streams")


def upgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT 1 FROM jobs LIMIT 1")).first():
        logger.warning(_KEPT)
    op.add_column("jobs", sa.Column("joins_stream", sa.Boolean))
    to_join = sa.column("joins_stream").is_(sa.true())
    op.create_index("jobs_to_join", "jobs", ["received_at"], sqlite_where=to_join, postgresql_where=to_join)
    _create_streams()
    op.create_table(
        "stream_chunks",
        sa.Column("task_id", sa.String(36), primary_key=True),
        sa.Column("stream", sa.Integer, nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("speech_s", sa.Float, nullable=False),
        sa.Column("transcribed_s", sa.Float, nullable=False),
        sa.Column("seq", sa.Integer),
        sa.Column("fingerprint", sa.String(64)),
    )
    op.create_index("stream_chunks_by_place", "stream_chunks", ["stream", "start_s"])
    op.create_index("stream_chunks_by_fingerprint", "stream_chunks", ["stream", "fingerprint"])
    segment_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "stream_segments",
        sa.Column("id", segment_id, primary_key=True, autoincrement=False),
        sa.Column("stream", sa.Integer, nullable=False),
        sa.Column("task_id", sa.String(36), nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("language", sa.String(8)),
        sa.Column("words", sa.JSON, nullable=False),
    )
    op.create_index("stream_segments_by_place", "stream_segments", ["stream", "start_s"])
    op.create_index("stream_segments_by_job", "stream_segments", ["task_id"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE stream_words USING fts5(words, tokenize = 'unicode61 remove_diacritics 2')")
    else:
        op.create_table(
            "stream_words",
            sa.Column("rowid", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("words", TSVECTOR, nullable=False),
        )
        op.create_index("stream_words_by_word", "stream_words", ["words"], postgresql_using="gin")


def _create_streams() -> None:
    op.create_table(
        "streams",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("owner", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("streamer_key", "streamer", "title", "game")),
        sa.Column("clock", sa.String(8), nullable=False),
        sa.Column("timeline", sa.JSON, nullable=False),
        sa.Column("speech_language", sa.String(8)),
        sa.Column("summary_languages", sa.JSON, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.Column("erased_at", sa.Float),
        *(
            sa.Column(name, sa.Float, nullable=False)
            for name in ("first_received_at", "last_received_at", "start_s", "end_s", "lag_s")
        ),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("chunk_count", "segment_count")),
        sa.Column("has_words", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("state_version", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_until", sa.Float),
        sa.Column("deadline_at", sa.Float),
        sa.Column("not_before", sa.Float, nullable=False, server_default="0"),
        sa.Column("claimed_by", sa.String(200)),
        sa.Column("sent_at", sa.Float),
        # A number is never another stream's: ids of segments are made of it.
        sqlite_autoincrement=True,
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "streams_open",
        "streams",
        ["owner", "streamer_key"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("streams_by_streamer", "streams", ["owner", "streamer_key", "number"])
    op.create_index("streams_by_end", "streams", ["ended_at"])


def downgrade() -> None:
    op.execute("DELETE FROM facts WHERE name = 'words_erased'")
    op.drop_table("stream_words")
    for name in _TABLES:
        op.drop_table(name)
    op.drop_index("jobs_to_join", "jobs")
    op.drop_column("jobs", "joins_stream")
