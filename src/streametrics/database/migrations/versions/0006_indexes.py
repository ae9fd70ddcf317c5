"""Indexes without tombstones, so that no query of maintenance reads them all; the version before goes on without."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _create(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "jobs", columns, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    op.drop_index("jobs_by_state", "jobs")
    op.drop_index("jobs_by_end", "jobs")
    _create("jobs_unfinished", ["state", "received_at"], "finished_at IS NULL")
    _create("jobs_by_lease", ["lease_until"], "lease_until IS NOT NULL")
    _create("jobs_by_expiry", ["finished_at"], "erased_at IS NULL")
    _create("jobs_by_erasure", ["erased_at"], "erased_at IS NOT NULL")
    _create("jobs_by_audio", ["audio_key"], "audio_key IS NOT NULL")


def downgrade() -> None:
    for name in ("jobs_unfinished", "jobs_by_lease", "jobs_by_expiry", "jobs_by_erasure", "jobs_by_audio"):
        op.drop_index(name, "jobs")
    op.create_index("jobs_by_end", "jobs", ["finished_at"])
    op.create_index("jobs_by_state", "jobs", ["state", "received_at"])
