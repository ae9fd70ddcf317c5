"""The migration to streams: whoever updates is told that words are kept for longer, and it can be taken back."""

import contextlib
import logging
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from streametrics.database.engine import Database, open_engine
from streametrics.database.jobs import JobRecords
from streametrics.database.migrate import MIGRATIONS, migrate
from streametrics.domain.job import JobKind, JobRequest

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")


def go_to(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    engine = open_engine(url, create=True)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    engine.dispose()


@pytest.mark.parametrize("is_update", [True, False])
def test_an_update_says_what_is_kept_from_now_on(
    is_update: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'streametrics.db'}"
    if is_update:
        # Given a database as the version before has left it
        migrate(url)
        go_to(url, "0008")
        with contextlib.closing(Database(url)) as database, database.write() as connection:
            assert "streams" not in inspect(connection).get_table_names()
            values = "'one', 'local', 'live', 'queued', 's', 'en', '', '', '', 0, 0, 0, 0, '[]'"
            names = (
                "task_id, owner, kind, state, streamer, language, game, time_raw, title, received_at, attempt, tries"
            )
            connection.execute(text(f"INSERT INTO jobs ({names}, not_before, warnings) VALUES ({values})"))
    caplog.clear()
    with caplog.at_level(logging.WARNING, "streametrics"):
        migrate(url)
    assert [("STREAM_MEMORY=off" in message) for message in caplog.messages] == [True] * is_update
    # Expect its jobs to join nothing, and new ones to be taken
    with contextlib.closing(Database(url)) as database:
        records = JobRecords(database)
        records.insert("two", REQUEST, owner="o", kind=JobKind.LIVE, audio_key="k", container="wav", joins_stream=True)
        with database.read() as connection:
            found = connection.execute(text("SELECT task_id FROM jobs WHERE joins_stream IS NOT NULL")).scalars().all()
    assert found == ["two"]
