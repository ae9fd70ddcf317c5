"""Chapters of streams, and the title, game and summary of each chunk; the version before goes on without."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OF_CHUNKS: dict[str, Any] = {
    "title": sa.Text,
    "game": sa.Text,
    "summary": sa.Text,
    "summary_source": sa.String(20),
    "summary_model": sa.Text,
    "summary_language": sa.String(35),
}


def upgrade() -> None:
    op.add_column("streams", sa.Column("has_recaps", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("streams", sa.Column("chapters_due", sa.Boolean))
    op.add_column("streams", sa.Column("chapters_seen_s", sa.Float))
    op.add_column("streams", sa.Column("chapter_count", sa.Integer, nullable=False, server_default="0"))
    op.add_column("streams", sa.Column("chapter_start_s", sa.Float))
    op.add_column("streams", sa.Column("chapter_boundary", sa.String(8)))
    for name, kind in _OF_CHUNKS.items():
        op.add_column("stream_chunks", sa.Column(name, kind))
    # Streams that are there get their chapters too.
    op.execute("UPDATE streams SET chapters_due = true WHERE erased_at IS NULL")
    is_due = sa.column("chapters_due").is_(sa.true())
    op.create_index("streams_chapters_due", "streams", ["number"], sqlite_where=is_due, postgresql_where=is_due)
    op.create_table(
        "chapters",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("stream", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("boundary", sa.String(8), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("keywords", sa.JSON, nullable=False),
        sa.Column("sentences", sa.JSON, nullable=False),
        sa.Column("first_segment", sa.Integer),
        sa.Column("last_segment", sa.Integer),
        sa.Column("summary_source", sa.String(20), nullable=False),
        sa.Column("summary_model", sa.Text),
        sa.Column("title_edited", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("summary_edited", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
        sa.Column("is_stale", sa.Boolean),
        sa.Column("closed_at", sa.Float, nullable=False),
        sa.Column("wants_model", sa.Boolean),
    )
    wants = sa.column("wants_model").is_(sa.true())
    op.create_index("chapters_for_model", "chapters", ["closed_at"], sqlite_where=wants, postgresql_where=wants)
    op.create_index("chapters_by_place", "chapters", ["stream", "place"], unique=True)


def downgrade() -> None:
    op.drop_table("chapters")
    op.drop_index("streams_chapters_due", "streams")
    for name in _OF_CHUNKS:
        op.drop_column("stream_chunks", name)
    for name in ("has_recaps", "chapters_due", "chapters_seen_s", "chapter_count", "chapter_start_s"):
        op.drop_column("streams", name)
    op.drop_column("streams", "chapter_boundary")
