"""Notes on pieces of long transcripts, and summaries that are made anew."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("parent_task_id", sa.String(36)))
        jobs.add_column(sa.Column("summary_model", sa.String(100)))
        jobs.add_column(sa.Column("model_server_missing", sa.Boolean, nullable=False, server_default=sa.false()))
        jobs.add_column(sa.Column("extra_instruction", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "notes",
        sa.Column("task_id", sa.String(36), sa.ForeignKey("jobs.task_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("notes")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("extra_instruction")
        jobs.drop_column("model_server_missing")
        jobs.drop_column("summary_model")
        jobs.drop_column("parent_task_id")
