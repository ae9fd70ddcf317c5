"""Jobs whose speech is translated into English."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("speech_task", sa.String(16)))


def downgrade() -> None:
    op.drop_column("jobs", "speech_task")
