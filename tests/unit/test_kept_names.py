"""Names that other processes, of another version, read and write: written out here, so that no rename changes them."""

from streametrics.domain.job import QueueName, Stage
from streametrics.jobs import broker
from streametrics.redis import counters, job_versions, progress, worker_registry


def test_tasks_and_queues_keep_their_names() -> None:
    assert broker.TASKS == {Stage.TRANSCRIBE: "streametrics.transcribe", Stage.SUMMARIZE: "streametrics.summarise"}
    assert broker.INCREMENTAL_NOTES == "streametrics.write_ahead"
    assert [*QueueName] == ["live", "long", "summarise"]


def test_keys_in_redis_keep_their_names() -> None:
    assert progress._snapshot_key("id") == "streametrics:job:{id}:now"
    assert progress._events_key("id") == "streametrics:job:{id}:events"
    assert progress._cancelled_key("id") == "streametrics:job:{id}:cancelled"
    assert job_versions.version_key("id") == "streametrics:job:{id}:stamp"
    assert job_versions.ALL_JOBS_VERSION_KEY == "streametrics:jobs:stamp"
    assert counters._COUNTS == "streametrics:counts"
    assert worker_registry._WORKERS == "streametrics:worker:"
    assert worker_registry._DATABASE_ID == "streametrics:database_id"
    assert worker_registry._AUDIO_STORE_ID == "streametrics:audio_store_id"
    assert worker_registry._SERVICE == "streametrics:service"
