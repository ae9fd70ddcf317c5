"""One running service for all tests that leave it as they found it; the others start their own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from streametrics.database.engine import Database
from streametrics.jobs.connections import Connections
from streametrics.jobs.stream_control import StreamControl
from streametrics.jobs.streams import StreamService
from streametrics.settings import Settings
from tests.support.stack import Stack, database, stack
from tests.support.streams import Streams


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """API and workers with the fake engine and writer; small limits, so that tests reach them quickly."""
    with stack(tmp_path_factory.mktemp("service"), MAX_UPLOAD_MB="5", MAX_AUDIO_HOURS="0.1") as running:
        running.start_all()
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Stack]:
    """A stack with nothing started, quick leases, and the gate in reach. A test may set leases of up to 600 s."""
    with stack(
        tmp_path, LEASE_S="1.5", MAINTENANCE_INTERVAL_S="0.2", RESEND_AFTER_S="1", TASK_TIME_LIMIT_S="650"
    ) as made:
        yield made


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A database's address; on PostgreSQL where TEST_DATABASE_URL names one."""
    with database(tmp_path) as found:
        yield found


@pytest.fixture
def connections(url: str, tmp_path: Path) -> Iterator[Connections]:
    """To that database, with no queue."""
    opened = Connections(Settings(_env_file=None, data_dir=tmp_path, database_url=url))
    yield opened
    opened.close()


@pytest.fixture
def control(connections: Connections) -> StreamControl:
    """What its owner says of streams there."""
    return StreamControl(connections, StreamService(connections))


@pytest.fixture
def streams(url: str) -> Iterator[Streams]:
    """Nothing yet, in a database of its own."""
    with contextlib.closing(Database(url)) as opened:
        yield Streams(opened)
