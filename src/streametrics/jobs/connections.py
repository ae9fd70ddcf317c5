"""Holds the connections of one process: database, Redis, the queue and the audio store."""

import logging

from streametrics.concurrency.ttl_cache import TtlCache
from streametrics.database.backlog import BacklogReader
from streametrics.database.chapters import ChapterRecords
from streametrics.database.checkpoints import Checkpoints
from streametrics.database.claims import Claims
from streametrics.database.engine import Database
from streametrics.database.erasure import Erasure
from streametrics.database.idempotency import IdempotentCalls
from streametrics.database.jobs import JobRecords
from streametrics.database.leases import Leases
from streametrics.database.markers import Markers
from streametrics.database.notes import JobNotes
from streametrics.database.redaction import Hiding, Redaction
from streametrics.database.stream_erasure import StreamErasure
from streametrics.database.stream_joining import StreamJoining
from streametrics.database.stream_search import StreamSearch
from streametrics.database.streamers import Streamers
from streametrics.database.streams import StreamRecords
from streametrics.database.timeouts import WORKING, Timeouts
from streametrics.jobs.broker import Queue
from streametrics.observability.metrics import Metrics
from streametrics.redis.client import RedisClient
from streametrics.redis.counters import Counters
from streametrics.redis.job_versions import JobVersions
from streametrics.redis.progress import JobProgress
from streametrics.redis.worker_registry import SERVICE_EXPIRES_S, ServiceIds, WorkerRegistry
from streametrics.settings import Settings
from streametrics.storage.local import AudioStore

WORKER_ON_OTHER_DATABASE = (
    "This worker's database is not the API's: give both the same DATABASE_URL, or the same DATA_DIR on the same "
    "machine. (If the API was set up anew, start it first.)"
)
WORKER_ON_OTHER_AUDIO_STORE = (
    "This worker's audio store is not the API's, so it would find no upload: give both the same DATA_DIR, on a disk "
    "that both reach. One that only summarizes ('worker summarize') needs none."
)

#: For how long it counts that this process and the API use the same database and audio store, in seconds.
FOREIGN_VALID_S = 3.0

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
        self.idempotent_calls = IdempotentCalls(self.database)
        most_decoded = settings.max_decoded_recordings
        self.backlog = BacklogReader(self.database, most_decoded=most_decoded)
        self.claims = Claims(
            self.database, lease_s=settings.lease_s, deadline_s=settings.task_time_limit_s, most_decoded=most_decoded
        )
        self.leases = Leases(self.database, lease_s=settings.lease_s)
        self.checkpoints = Checkpoints(self.database)
        self.erasure = Erasure(self.database)
        self.joining = StreamJoining(self.database)
        self.streams = StreamRecords(self.database)
        self.chapters = ChapterRecords(self.database)
        self.stream_search = StreamSearch(self.database)
        self.stream_erasure = StreamErasure(self.database)
        self.redaction = Redaction(self.database)
        self.hiding = Hiding(self.database)
        self.markers = Markers(self.database)
        self.streamers = Streamers(self.database)
        self.audio = AudioStore(settings.data_dir / "audio")
        self.queue = Queue(settings, self.redis.outage)

    def close(self) -> None:
        """Close every connection."""
        self.queue.close()
        self.metrics.close()
        self.redis.close()
        self.database.close()

    def announce_service(self) -> bool:
        """Say which database and audio store this API uses; False where the queue is another service's.

        Raises DatabaseUnavailable.
        """
        ids = self._service_ids()
        expires_s = max(SERVICE_EXPIRES_S, 4 * self.settings.maintenance_interval_s)
        return ids is None or self.registry.announce_service(ids, expires_s=expires_s)

    def withdraw_service(self) -> None:
        """Say that this API has stopped. Raises DatabaseUnavailable."""
        if (ids := self._service_ids()) is not None:
            self.registry.withdraw_service(ids)

    def foreign_check(self, *, needs_audio: bool) -> TtlCache[str | None]:
        """Make a check of `foreign_to_api` whose answer counts for a few seconds."""
        return TtlCache(lambda: self.foreign_to_api(needs_audio=needs_audio), FOREIGN_VALID_S)

    def foreign_to_api(self, *, needs_audio: bool) -> str | None:
        """Say why jobs of the API on this queue are none for this process; None where they are.

        needs_audio: whether it has to find the API's uploads. Raises DatabaseUnavailable.
        """
        announced = self.registry.announced()
        if announced.database not in (None, self.records.database_id()):
            return WORKER_ON_OTHER_DATABASE
        if not needs_audio or announced.audio_store is None:
            return None
        try:
            is_same = announced.audio_store == self.audio.store_id()
        except OSError as error:
            return f"{WORKER_ON_OTHER_AUDIO_STORE} (It cannot be read: {error})"
        return None if is_same else WORKER_ON_OTHER_AUDIO_STORE

    def _service_ids(self) -> ServiceIds | None:
        database_id = self.records.database_id()
        try:
            return ServiceIds(database_id, self.audio.store_id())
        except OSError as error:
            logger.error("the audio store in DATA_DIR cannot be read: %s", error)
            return None

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
