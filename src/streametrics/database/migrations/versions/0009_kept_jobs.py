"""Jobs that are kept for days, summaries of a length that is asked for, and calls that are not carried out twice."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NOT_ERASED = sa.text("erased_at IS NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("summary_length", sa.String(8)))
    op.add_column("jobs", sa.Column("is_kept", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index(
        "jobs_by_retention",
        "jobs",
        ["is_kept", "finished_at"],
        sqlite_where=_NOT_ERASED,
        postgresql_where=_NOT_ERASED,
    )
    op.drop_index("jobs_by_expiry", "jobs")
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("route", sa.String(80), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("payload_hash", sa.String(64), nullable=False),
        sa.Column("made_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_index("ix_idempotency_keys_made_id", "idempotency_keys", ["made_id"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.create_index("jobs_by_expiry", "jobs", ["finished_at"], sqlite_where=_NOT_ERASED, postgresql_where=_NOT_ERASED)
    op.drop_index("jobs_by_retention", "jobs")
    op.drop_column("jobs", "is_kept")
    op.drop_column("jobs", "summary_length")
