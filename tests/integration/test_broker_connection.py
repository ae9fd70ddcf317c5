"""What a worker meets when the queue goes away under it."""

from pathlib import Path

import pytest

from streametrics.jobs.broker import create_celery
from streametrics.settings import Settings
from tests.support.stack import redis_server


def test_a_channel_whose_connection_is_gone_says_so_with_an_error_that_celery_survives(tmp_path: Path) -> None:
    """Celery gives up the connection first and closes its channels later; a task may acknowledge in between."""
    with redis_server(tmp_path) as url:
        connection = create_celery(Settings(redis_url=url, _env_file=None)).connection_for_read()
        channel = connection.channel()
        survived = connection.connection_errors

        connection.collect()
        channel._disconnect_pools()

        with pytest.raises(survived):
            channel.qos.ack("a-tag")
        with pytest.raises(survived):
            channel.qos.restore_unacked()
