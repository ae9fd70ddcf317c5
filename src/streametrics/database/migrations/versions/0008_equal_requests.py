"""Jobs without a summary, and the hash by which an equal request finds the job that is there."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("wants_summary", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("jobs", sa.Column("request_hash", sa.String(64)))
    where = sa.text("request_hash IS NOT NULL")
    op.create_index("jobs_by_request", "jobs", ["request_hash"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("jobs_by_request", "jobs")
    op.drop_column("jobs", "request_hash")
    op.drop_column("jobs", "wants_summary")
