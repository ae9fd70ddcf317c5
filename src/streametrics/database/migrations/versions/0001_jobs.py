"""Jobs, their parts, and what the database knows of itself."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _lease_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.Float),
        sa.Column("deadline_at", sa.Float),
        sa.Column("not_before", sa.Float, nullable=False),
        sa.Column("claimed_by", sa.String(200)),
        sa.Column("sent_at", sa.Float),
    ]


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("task_id", sa.String(36), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("session_id", sa.String(36)),
        sa.Column("seq", sa.Integer),
        sa.Column("streamer", sa.Text, nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("game", sa.Text, nullable=False),
        sa.Column("time_raw", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("speech_language", sa.String(8)),
        sa.Column("offset_s", sa.Float),
        sa.Column("audio_s", sa.Float),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.Column("audio_key", sa.String(80)),
        sa.Column("container", sa.String(16)),
        *_lease_columns(),
        sa.Column("transcript", sa.JSON),
        sa.Column("warnings", sa.JSON, nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.Text),
        sa.Column("error_code", sa.String(40)),
        sa.Column("finished_at", sa.Float),
        sa.Column("erased_at", sa.Float),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "received_at"])
    op.create_index("jobs_by_end", "jobs", ["finished_at"])
    op.create_table(
        "parts",
        sa.Column("task_id", sa.String(36), sa.ForeignKey("jobs.task_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("part_index", sa.Integer, primary_key=True),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        *_lease_columns(),
        sa.Column("transcript", sa.JSON),
    )
    facts = op.create_table(
        "facts",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.bulk_insert(facts, [{"name": "database_id", "value": uuid.uuid4().hex}])


def downgrade() -> None:
    op.drop_table("facts")
    op.drop_table("parts")
    op.drop_table("jobs")
