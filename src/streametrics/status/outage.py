"""Answers polls while the database cannot be read: with what this process told last, so that no client gives up.

The browser extension stops at the first `"status": "error"`, and its chunk is lost though the job goes on.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from streametrics.domain.job import JobState, Warn
from streametrics.domain.status import JobStatus
from streametrics.errors import DatabaseUnavailable
from streametrics.status.response_cache import CachedResponse, ResponseCache

#: For how long jobs that this process knows nothing of are said to be in work, in seconds.
BELIEVED_S = 60.0


class LastKnown:
    """Keeps the last response of each job, up to so many bytes. For one event loop. clock: monotonic seconds."""

    def __init__(self, max_bytes: int, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._cache = ResponseCache(max_bytes)
        self._away_since: float | None = None

    def keep(self, task_id: str, answer: CachedResponse) -> None:
        """Keep a response that was just made: the database answers."""
        self._away_since = None
        self._cache.put(task_id, answer)

    def forget(self, task_ids: Collection[str] | None) -> None:
        """Forget these jobs (None: all of them): what they said may be erased."""
        if task_ids is None:
            self._cache.clear()
        else:
            for task_id in task_ids:
                self._cache.drop(task_id)

    def answer(self, task_id: str, error: DatabaseUnavailable) -> CachedResponse:
        """Make the response to a poll of a job whose row cannot be read because of this error."""
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
        known = self._cache.latest(task_id)
        if known is not None and now < known.erased_at:
            return known if known.is_final else replace(known, body=_with_warning(known.body, error), version=None)
        status = JobStatus(JobState.TRANSCRIBING, 0, warnings=(_warning(error),))
        body = status.body()
        http_status = 200
        if now - self._away_since >= BELIEVED_S:
            http_status = error.status
            body |= {"error": str(error), "code": error.code}
        return CachedResponse(_rendered(body), None, False, None, now, http_status=http_status)


def _warning(error: DatabaseUnavailable) -> Warn:
    return Warn(error.code, f"{error} What is told here of the job may be old.")


def _with_warning(body: bytes, error: DatabaseUnavailable) -> bytes:
    told: dict[str, Any] = json.loads(body)
    return _rendered(told | {"warnings": [*told.get("warnings", []), _warning(error).to_json()]})


def _rendered(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
