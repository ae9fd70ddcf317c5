"""Holds the connections of one process: database, Redis, the queue and the audio store."""

import logging

from streametrics.database.backlog import BacklogReader
from streametrics.database.checkpoints import Checkpoints
from streametrics.database.claims import Claims
from streametrics.database.engine import Database
from streametrics.database.erasure import Erasure
from streametrics.database.jobs import JobRecords
from streametrics.database.leases import Leases
from streametrics.database.notes import JobNotes
from streametrics.database.timeouts import WORKING, Timeouts
from streametrics.jobs.broker import Queue
from streametrics.observability.metrics import Metrics
from streametrics.redis.client import RedisClient
from streametrics.redis.counters import Counters
from streametrics.redis.job_versions import JobVersions
from streametrics.redis.progress import JobProgress
from streametrics.redis.worker_registry import WorkerRegistry
from streametrics.settings import Settings
from streametrics.storage.local import AudioStore

logger = logging.getLogger(__name__)


class Connections:
    """The connections of one process, made once and shared by all who work on jobs there. Thread-safe."""

    def __init__(self, settings: Settings, *, timeouts: Timeouts = WORKING) -> None:
        """timeouts: how long it waits for the database."""
        self.settings = settings
        self.redis = RedisClient(settings.effective_redis_url)
        self.progress = JobProgress(self.redis)
        self.registry = WorkerRegistry(self.redis)
        self.counters = Counters(self.redis)
        self.metrics = Metrics(self.counters.add)
        self.database = Database(
            settings.effective_database_url, on_change=JobVersions(self.redis).touch, timeouts=timeouts
        )
        self.records = JobRecords(self.database)
        most_decoded = settings.max_decoded_recordings
        self.backlog = BacklogReader(self.database, most_decoded=most_decoded)
        self.claims = Claims(
            self.database, lease_s=settings.lease_s, deadline_s=settings.task_time_limit_s, most_decoded=most_decoded
        )
        self.leases = Leases(self.database, lease_s=settings.lease_s)
        self.checkpoints = Checkpoints(self.database)
        self.erasure = Erasure(self.database)
        self.audio = AudioStore(settings.data_dir / "audio")
        self.queue = Queue(settings, self.redis.outage)

    def close(self) -> None:
        """Close every connection."""
        self.queue.close()
        self.metrics.close()
        self.redis.close()
        self.database.close()

    def notes(self, task_id: str) -> JobNotes:
        """Open the notes on this job's transcript."""
        return JobNotes(self.database, task_id)

    def delete_audio(self, key: str | None) -> None:
        """Delete audio that no job needs any more; where that fails, maintenance does it later."""
        if key is None:
            return
        try:
            self.audio.delete(key)
        except OSError as error:
            logger.warning("audio not deleted; maintenance will: %s", error)
