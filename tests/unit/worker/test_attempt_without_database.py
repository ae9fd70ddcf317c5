"""How an attempt ends when the database cannot be told."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streametrics.domain.job import Claim, JobKind, JobRequest, Stage
from streametrics.errors import DatabaseUnavailable
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.worker import attempt
from streametrics.worker.attempt import Attempt
from tests.support.stack import until

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
CLAIM = Claim("id", Stage.SUMMARIZE, 1, 1, "w", REQUEST, JobKind.LIVE, time_left_s=60)


def test_a_job_that_could_not_be_written_is_released_once_the_database_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "RELEASE_RETRY_INTERVAL_S", 0.01)
    calls: list[str] = []

    def release(claim: Any) -> None:
        calls.append(claim.task_id)
        if len(calls) < 3:
            raise DatabaseUnavailable

    jobs = SimpleNamespace(release=release)
    # Given an attempt whose words cannot be stored, in a process that lives on
    Attempt(cast(JobLifecycle, jobs), CLAIM, stopping=threading.Event()).end(DatabaseUnavailable())
    # Expect it to be released, for recovery leaves alone what a living process holds; and only once
    until(lambda: len(calls) == 3, within_s=10, what="it is given back")
    until(lambda: all(thread.name != "release" for thread in threading.enumerate()), within_s=5, what="it stops trying")
    assert len(calls) == 3


def test_a_process_that_stops_gives_nothing_back_by_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "RELEASE_RETRY_INTERVAL_S", 0.01)
    calls: list[str] = []
    stopping = threading.Event()
    jobs = SimpleNamespace(release=lambda claim: calls.append(claim.task_id))
    # Given a process that lets go of all its work at once while it stops
    stopping.set()
    Attempt(cast(JobLifecycle, jobs), CLAIM, stopping=stopping).end(DatabaseUnavailable())
    until(lambda: all(thread.name != "release" for thread in threading.enumerate()), within_s=5, what="it stops trying")
    assert calls == []
