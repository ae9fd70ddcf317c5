"""Indexes for lists of jobs, of everybody or of one owner, without tombstones."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("erased_at IS NULL")
    for name, columns in (
        ("jobs_by_age", ["received_at", "task_id"]),
        ("jobs_by_owner", ["owner", "received_at", "task_id"]),
    ):
        op.create_index(name, "jobs", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in ("jobs_by_age", "jobs_by_owner"):
        op.drop_index(name, "jobs")
