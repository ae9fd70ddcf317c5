"""Kombu's transport for Redis, which takes no value in Redis on trust and outlives its end."""

import json
import logging
from collections.abc import Callable
from queue import Empty
from typing import Any, TypeVar

from kombu.transport import redis as redis_transport

from streametrics.domain.job import QueueName
from streametrics.jobs import message_filter
from streametrics.jobs.message_filter import GARBAGE

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class _QoS(redis_transport.QoS):
    """Notes what is not acknowledged, in keys that may have been overwritten."""

    def append(self, message: Any, delivery_tag: Any) -> None:  # noqa: ANN401 - kombu's own
        add = super().append
        self.channel.mended(lambda: add(message, delivery_tag))  # type: ignore[no-untyped-call]

    def ack(self, delivery_tag: Any) -> None:  # noqa: ANN401
        acknowledge = super().ack
        self.channel.mended(lambda: acknowledge(delivery_tag))  # type: ignore[no-untyped-call]

    def restore_visible(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        restore = super().restore_visible
        self.channel.mended(lambda: restore(*args, **options))  # type: ignore[no-untyped-call]

    def restore_by_tag(self, tag: Any, *args: Any, **options: Any) -> None:  # noqa: ANN401
        """Put a message back; one that cannot be read is dropped, as it would keep all others from coming back."""
        try:
            super().restore_by_tag(tag, *args, **options)  # type: ignore[no-untyped-call]
        except self.channel.connection_errors:
            raise
        except GARBAGE as error:
            _tell(error, self.unacked_key)
            self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]


class _Channel(redis_transport.Channel):
    """A channel that drops what is no message of ours, with a line in the log.

    It also raises ConnectionError where kombu's would ask a connection that Celery has given up for its address: that
    is an AttributeError of None, and ends a worker that is in the middle of a task when the queue goes away (5.7.0); a
    connection's error does not.
    """

    QoS = _QoS

    def mended(self, call: Callable[[], Result]) -> Result:
        """Call something that writes to Redis; where a key is of a wrong type, delete it and try once more."""
        try:
            return call()
        except self.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            self._delete_wrong_types()
            return call()

    def _delete_wrong_types(self) -> None:
        queues = [self._q_for_pri(name, step) for name in QueueName for step in self.priority_steps]  # type: ignore[no-untyped-call]
        kinds: dict[str, bytes] = dict.fromkeys(queues, b"list")
        kinds |= {self.unacked_key: b"hash", self.unacked_index_key: b"zset", self.unacked_mutex_key: b"string"}
        for exchange in (*QueueName, "celery.pidbox", "reply.celery.pidbox", "celeryev"):
            for prefix in (self.keyprefix_queue, self.keyprefix_binding_permanent):
                kinds[prefix % exchange] = b"set"
        with self.conn_or_acquire() as client:
            for key, kind in kinds.items():
                if client.type(key) not in (kind, b"none"):
                    _tell(TypeError(), key)
                    client.delete(key)

    def _brpop_read(self, **options: Any) -> Any:  # noqa: ANN401
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except (Empty, *self.connection_errors):
            raise
        except self.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            self._delete_wrong_types()
        except GARBAGE as error:
            _tell(error, "a queue")
        raise Empty

    def _get(self, queue: Any, timeout: Any = None) -> Any:  # noqa: ANN401
        get = super()._get
        try:
            return self.mended(lambda: get(queue))  # type: ignore[no-untyped-call]
        except (ValueError, RecursionError) as error:
            _tell(error, queue)
            raise Empty from None

    def _handle_message(self, client: Any, response: Any) -> dict[str, Any]:  # noqa: ANN401
        """Take what was published; what is no message of a broadcast gets a type that is passed over."""
        payload: dict[str, Any] = super()._handle_message(client, response)  # type: ignore[no-untyped-call]
        if payload["type"].endswith(b"message") and payload["data"]:
            try:
                is_command = payload["channel"].endswith(b"celery.pidbox")
                message_filter.require_readable(json.loads(payload["data"]), is_command=is_command)
            except GARBAGE as error:
                _tell(error, repr(payload["channel"]))
                payload["type"] = b"garbage"
        return payload

    def _size(self, queue: str) -> int:
        size = super()._size
        return int(self.mended(lambda: size(queue)))  # type: ignore[no-untyped-call]

    def _put(self, queue: str, message: Any, **options: Any) -> None:  # noqa: ANN401
        put = super()._put
        self.mended(lambda: put(queue, message, **options))  # type: ignore[no-untyped-call]

    def _queue_bind(self, *args: Any) -> None:  # noqa: ANN401
        bind = super()._queue_bind
        self.mended(lambda: bind(*args))  # type: ignore[no-untyped-call]

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """List what is bound to an exchange: of ours that is known, whoever writes another queue beside it."""
        if exchange in _OWN_QUEUES:
            return [(exchange, "", exchange)]
        table: list[tuple[str, ...]] = super().get_table(exchange)  # type: ignore[no-untyped-call]
        return [binding for binding in table if len(binding) == 3]

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection to the queue was given up")
        parameters: dict[str, Any] = super()._connparams(asynchronous=asynchronous)  # type: ignore[no-untyped-call]
        return parameters


_OWN_QUEUES = frozenset(QueueName)


class Transport(redis_transport.Transport):
    """Kombu's transport for Redis, with our channel. Each message is looked at before it is delivered."""

    Channel = _Channel

    def _deliver(self, message: Any, queue: str) -> None:  # noqa: ANN401 - whatever stood in Redis
        try:
            if queue in _OWN_QUEUES:
                message = message_filter.task_message(message, queue)
            else:
                # Replies come by a queue of their own, broadcasts were looked at when they came.
                message_filter.require_readable(message, is_command=False)
        except GARBAGE as error:
            _tell(error, queue)
            return
        super()._deliver(message, queue)  # type: ignore[no-untyped-call]


def _tell(error: Exception, where: str) -> None:
    """Write one line; what stood there is never in it."""
    logger.warning("event=garbage_in_redis key=%r error=%s", where[:100], type(error).__name__)
