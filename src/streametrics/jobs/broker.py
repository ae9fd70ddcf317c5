"""Configures Celery, every option with its reason, and sends task messages."""

import logging
import threading
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from celery import Celery
from kombu.entity import Exchange
from kombu.entity import Queue as KombuQueue
from kombu.exceptions import OperationalError

from streametrics.concurrency.fail_fast import FailFast
from streametrics.domain.job import JobKind, QueueName, Stage, TaskMessage
from streametrics.errors import QueueUnavailable
from streametrics.jobs.message_filter import INCREMENTAL_NOTES, TASKS
from streametrics.jobs.transport import Transport
from streametrics.settings import VISIBILITY_TIMEOUT_S, Settings

LIVE, LONG, SUMMARIZE = (name.value for name in QueueName)
QUEUES = (LIVE, LONG, SUMMARIZE)
__all__ = ["INCREMENTAL_NOTES", "LIVE", "LONG", "QUEUES", "SUMMARIZE", "TASKS", "Queue", "create_celery", "queue_of"]

#: How long a message may take to be sent, in seconds; workers, which also wait for messages, have longer.
PUBLISH_TIMEOUT_S = 2
#: Messages that are sent at once, fewer than Celery keeps connections; and how long another waits for its turn.
MAX_SENDERS, SENDER_TIMEOUT_S = 8, 2.5

logger = logging.getLogger(__name__)

#: How messages are delivered, and what is told of tasks.
_DELIVERY: dict[str, Any] = {
    "task_default_queue": LONG,
    # Nobody reads Celery's results: a job's progress and end are kept in its row alone.
    "task_ignore_result": True,
    "task_track_started": True,
    "worker_send_task_events": True,
    "task_send_sent_event": True,
    # A message is acknowledged after its task, and each worker holds one at a time: a chunk must not
    # wait behind another worker's long part.
    "task_acks_late": True,
    "worker_prefetch_multiplier": 1,
    # Reruns are decided by leases alone: rejecting on a lost worker made one poisonous job run 16 times
    # in 12 s, and acknowledging on failure is safe because the row knows what is unfinished.
    "task_reject_on_worker_lost": False,
    "task_acks_on_failure_or_timeout": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "timezone": "UTC",
}
#: How processes keep their connection to the queue.
_CONNECTION: dict[str, Any] = {
    # True loses the running job at every restart of Redis (3 of 3 trials).
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_connection_retry_on_startup": True,
    # For ever: a worker that gives up after 100 tries needs a person to start it again.
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        # What a killed worker had taken comes back after this; leases are quicker, this is the net.
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "unacked_restore_interval": 10,
        # Above 1, restoring waits for that many rounds.
        "unacked_restore_throttle": 1,
        # `live` is emptied before `long`: queues are read in the order in which a worker names them.
        "queue_order_strategy": "priority",
        # Publishing waits for ever on a dead Redis otherwise; POST has 5 s to say 503.
        "socket_connect_timeout": 2,
        "socket_timeout": 3,
    },
    "broker_connection_timeout": 2,
}
#: How a worker starts its children, and logs.
_PROCESSES: dict[str, Any] = {
    # CTranslate2's and torch's threads do not survive a fork.
    "worker_pool_start_method": "spawn",
    # Loading a model takes a child longer than the 4 s after which Celery takes it for dead.
    "worker_proc_alive_timeout": 300,
    # Logging is ours: one format, with the job's id on every line.
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
}


def create_celery(settings: Settings) -> Celery:
    """Create the Celery application, the same for those who send as for workers."""
    broker_url, tls = _with_tls_apart(settings.effective_redis_url)
    celery = Celery(
        "streametrics",
        broker=broker_url,
        broker_transport=f"{Transport.__module__}:{Transport.__name__}",
        include=["streametrics.worker.signals", "streametrics.worker.tasks"],
    )
    celery.conf.update(
        _DELIVERY,
        **_CONNECTION,
        **_PROCESSES,
        broker_use_ssl=tls,
        task_queues=[_own_queue(name) for name in QUEUES],
        result_expires=settings.result_ttl_s,
        task_time_limit=settings.task_time_limit_s,
        task_soft_time_limit=settings.task_soft_time_limit_s,
    )
    return celery


def _own_queue(name: str) -> KombuQueue:
    """Make a queue with an exchange of its own: with the default one, each message would go to all queues."""
    exchange = Exchange(name)  # type: ignore[no-untyped-call]
    return KombuQueue(name, exchange, routing_key=name)  # type: ignore[no-untyped-call]


def _with_tls_apart(url: str) -> tuple[str, dict[str, str | bool] | None]:
    """Take the options of TLS out of a `rediss://` address, where redis-py reads them and kombu does not."""
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return url, None
    options: dict[str, str | bool] = {"ssl_cert_reqs": "required"}
    others = []
    for name, value in parse_qsl(parts.query):
        if name == "ssl_check_hostname":
            options[name] = value.lower() not in ("0", "f", "false", "n", "no")
        elif name.startswith("ssl_"):
            options[name] = value
        else:
            others.append((name, value))
    return parts._replace(query=urlencode(others)).geturl(), options


class Queue:
    """Sends task messages. Thread-safe.

    outage: as of `RedisClient`; whatever finds Redis away spares the others the wait.
    """

    def __init__(self, settings: Settings, outage: FailFast | None = None) -> None:
        self._celery = create_celery(settings)
        options = self._celery.conf.broker_transport_options
        self._celery.conf.broker_transport_options = options | {"socket_timeout": PUBLISH_TIMEOUT_S}
        self._outage = outage or FailFast()
        #: Celery's own pool of connections would let the others wait for those that wait in vain.
        self._senders = threading.BoundedSemaphore(MAX_SENDERS)

    def require(self) -> None:
        """Refuse early what could not be sent anyway. Raises QueueUnavailable where the queue was away a moment ago."""
        if self._outage.is_resting:
            raise QueueUnavailable

    def send(self, message: TaskMessage) -> None:
        """Send a task message. Raises QueueUnavailable within 5 s."""
        message_id = f"{message.task_id}.{message.stage}.{message.number}"
        self._send(TASKS[message.stage], [message.task_id], message_id, queue_of(message))

    def send_incremental_notes(self, task_id: str) -> None:
        """Ask for notes on what is transcribed so far of a recording. Raises QueueUnavailable."""
        self._send(INCREMENTAL_NOTES, [task_id], f"{task_id}.ahead", SUMMARIZE)

    def _send(self, task: str, arguments: list[str], message_id: str, queue: str) -> None:
        if not self._senders.acquire(timeout=SENDER_TIMEOUT_S):
            raise QueueUnavailable
        try:
            if not self._outage.allows():
                raise QueueUnavailable
            self._celery.send_task(
                task, args=arguments, task_id=message_id, queue=queue, retry=False, ignore_result=True
            )
            self._outage.succeeded()
        except (OperationalError, OSError) as error:
            self._outage.failed()
            logger.warning("queue unavailable: %s", error)
            raise QueueUnavailable from error
        finally:
            self._senders.release()

    def close(self) -> None:
        self._celery.close()


def queue_of(message: TaskMessage) -> str:
    """Choose the queue of a task message."""
    if message.stage is Stage.SUMMARIZE:
        return SUMMARIZE
    return LIVE if message.kind is JobKind.LIVE else LONG
