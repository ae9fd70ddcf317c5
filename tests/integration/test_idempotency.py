"""Calls with a key: carried out once, whoever is faster, and forgotten together with what could not be made."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from streametrics.database.engine import Database
from streametrics.database.idempotency import CalledBefore, IdempotentCall, IdempotentCalls
from streametrics.database.jobs import JobRecords
from streametrics.domain.job import JobKind, JobRequest
from streametrics.errors import IdempotencyKeyReused
from tests.support.stack import database

CALL = IdempotentCall("somebody", "POST /v1/jobs", "key", "a" * 64)
REQUEST = JobRequest("", "en", "", "", "")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    with database(tmp_path) as url, contextlib.closing(Database(url)) as made:
        yield made


def make(store: Database, task_id: str, call: IdempotentCall = CALL) -> str:
    how = {"owner": call.owner, "kind": JobKind.LIVE, "audio_key": task_id, "container": "wav"}
    JobRecords(store).insert(task_id, REQUEST, call=call, **how)  # type: ignore[arg-type]
    return task_id


def test_a_call_finds_what_it_has_made(store: Database) -> None:
    calls = IdempotentCalls(store)
    assert calls.made_by(CALL) is None
    make(store, "one")
    assert calls.made_by(CALL) == "one"
    # Somebody else's key, and the same key at another route, are other calls
    assert calls.made_by(replace(CALL, owner="another")) is None
    assert calls.made_by(replace(CALL, route="POST /v1/keys")) is None
    with pytest.raises(IdempotencyKeyReused):
        calls.made_by(replace(CALL, payload_hash="b" * 64))
    # By its key alone it is found whatever was sent
    assert calls.made_with(CALL.owner, CALL.route, CALL.key) == "one"
    assert calls.made_with("another", CALL.route, CALL.key) is None


def test_of_equal_calls_at_once_one_makes_its_job(store: Database) -> None:
    together = threading.Barrier(8)

    def call(number: int) -> str | None:
        together.wait(30)
        try:
            return make(store, f"job{number}")
        except CalledBefore:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [task_id for task_id in pool.map(call, range(8)) if task_id]
    assert made == [IdempotentCalls(store).made_by(CALL)]
    assert JobRecords(store).keys_in_use() == set(made)


def test_a_job_that_could_not_be_queued_leaves_no_call(store: Database) -> None:
    make(store, "one")
    JobRecords(store).delete("one")
    assert IdempotentCalls(store).made_by(CALL) is None
    assert make(store, "two") == "two"


def test_old_calls_are_forgotten(store: Database) -> None:
    make(store, "one")
    assert IdempotentCalls(store).delete_older_than(3600) == 0
    assert IdempotentCalls(store).delete_older_than(-1) == 1
    assert IdempotentCalls(store).made_by(CALL) is None
