"""The stretch of the recording that a note is about, so that notes can be shown while a summary is not there yet."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("notes") as notes:
        notes.add_column(sa.Column("start_s", sa.Float))
        notes.add_column(sa.Column("end_s", sa.Float))


def downgrade() -> None:
    with op.batch_alter_table("notes") as notes:
        notes.drop_column("end_s")
        notes.drop_column("start_s")
