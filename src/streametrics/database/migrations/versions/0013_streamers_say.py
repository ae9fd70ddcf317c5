"""What a streamer says of streams: what to forget, pauses, settings, markers; the version before goes on without."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COLUMNS = ("forgotten", "forgetting", "pauses")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("streams", sa.Column(name, sa.JSON))
    op.create_table(
        "streamers",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("streamer_key", sa.Text, primary_key=True),
        sa.Column("paused_at", sa.Float),
        sa.Column("hidden_words", sa.JSON, nullable=False),
        sa.Column("summary_languages", sa.JSON, nullable=False),
        sa.Column("transcript_days", sa.Float),
        sa.Column("recap_days", sa.Float),
        sa.Column("hides", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_table(
        "markers",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("stream", sa.Integer, nullable=False),
        sa.Column("position_s", sa.Float, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("markers_by_stream", "markers", ["stream", "number"])


def downgrade() -> None:
    op.drop_table("markers")
    op.execute("DELETE FROM facts WHERE name = 'words_forgotten'")
    op.drop_table("streamers")
    for name in _COLUMNS:
        op.drop_column("streams", name)
