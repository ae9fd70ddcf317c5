"""Whose queue it is, and whose audio: services that share one by mistake are refused, and no job is lost by it."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streametrics.domain.job import JobKind, JobRequest, Stage
from streametrics.errors import AudioMissing
from streametrics.jobs import recovery
from streametrics.jobs.connections import WORKER_ON_OTHER_AUDIO_STORE, Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.recovery import Recovery
from streametrics.redis.worker_registry import OTHER_AUDIO_STORE, OTHER_DATABASE, ServiceIds
from streametrics.storage.local import AudioStore
from streametrics.worker.attempt import Attempt, running
from tests.support.jobs import Jobs
from tests.support.stack import Stack, database

REQUEST = JobRequest(streamer="s", language="fr", game="", time="0", title="")


@pytest.fixture
def jobs(fresh: Stack) -> Iterator[Jobs]:
    with contextlib.closing(Jobs(fresh.own_settings(lease_s=600))) as made:
        yield made


@pytest.fixture
def elsewhere(fresh: Stack, tmp_path: Path) -> Iterator[Connections]:
    """What a worker of another host has: the same queue and database, and a folder of its own."""
    settings = fresh.own_settings().model_copy(update={"data_dir": tmp_path / "elsewhere"})
    with contextlib.closing(Connections(settings)) as made:
        yield made


def accept(jobs: Jobs) -> tuple[str, str]:
    key = jobs.connections.audio.writer().commit()
    return jobs.service.accept(REQUEST, kind=JobKind.LIVE, audio_key=key, container="wav"), key


def test_a_store_keeps_its_id(tmp_path: Path) -> None:
    first = AudioStore(tmp_path / "audio")
    kept = first.store_id()
    assert AudioStore(tmp_path / "audio").store_id() == kept
    assert AudioStore(tmp_path / "another").store_id() != kept
    # Expect it not to be taken for audio that nobody needs, and a damaged one to be made anew
    assert list(first.keys_older_than(-1)) == []
    (tmp_path / "audio" / ".store-id").write_bytes(b"\xff")
    assert first.store_id() != kept
    assert first.store_id() == first.store_id()


def test_a_worker_that_would_find_no_upload_takes_no_job(jobs: Jobs, elsewhere: Connections) -> None:
    assert elsewhere.foreign_to_api(needs_audio=True) is None  # nobody has said anything yet
    assert jobs.connections.announce_service()
    assert elsewhere.foreign_to_api(needs_audio=True) == WORKER_ON_OTHER_AUDIO_STORE
    assert elsewhere.foreign_to_api(needs_audio=False) is None
    assert JobLifecycle(elsewhere).foreign_to_api(Stage.TRANSCRIBE) == WORKER_ON_OTHER_AUDIO_STORE
    assert jobs.connections.foreign_to_api(needs_audio=True) is None


def test_a_worker_with_another_audio_store_refuses_to_start(fresh: Stack, tmp_path: Path) -> None:
    fresh.start_api()
    fresh.settings["DATA_DIR"] = str(tmp_path / "elsewhere")
    worker = fresh.launch_worker(app="streametrics.celery_app", queues="live,long", pool="solo", name="stranger")
    assert worker.wait(timeout=60) != 0
    assert WORKER_ON_OTHER_AUDIO_STORE in fresh.log()


def test_audio_that_is_not_found_is_looked_for_where_it_was_put(
    jobs: Jobs, elsewhere: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a job that a worker has claimed before it knew that its folder is another one
    monkeypatch.setattr(recovery, "LOST_AUDIO_AGE_S", 0.0)
    task_id, key = accept(jobs)
    claim = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    attempt = Attempt(JobLifecycle(elsewhere), claim, stopping=threading.Event())
    with running([attempt]):
        raise AudioMissing
    # Expect it to wait for another one, without a try less
    assert jobs.service.status(task_id).body()["status"] == "processing"
    assert jobs.connections.records.get(task_id).error is None  # type: ignore[union-attr]
    looks = Recovery(jobs.connections, jobs.lifecycle, in_worker=False)
    for _ in range(recovery.LOST_AUDIO_ROUNDS):
        looks.round()
    assert jobs.service.status(task_id).body()["status"] == "processing"
    # And to fail once it is gone from the API's own store
    jobs.connections.audio.delete(key)
    for _ in range(recovery.LOST_AUDIO_ROUNDS):
        looks.round()
    assert jobs.service.status(task_id).body()["code"] == "audio_unreadable"


def test_a_queue_that_another_service_uses_is_refused_until_it_has_stopped(jobs: Jobs) -> None:
    registry = jobs.connections.registry
    theirs, others_audio = ServiceIds("a" * 32, "b" * 32), ServiceIds("a" * 32, "c" * 32)
    assert registry.announce_service(theirs)
    assert not registry.announce_service(others_audio)
    assert registry.other_service == OTHER_AUDIO_STORE
    assert not jobs.connections.announce_service()
    assert registry.other_service == OTHER_DATABASE
    assert registry.announced().database == theirs.database
    registry.withdraw_service(others_audio)  # not its own
    assert not jobs.connections.announce_service()
    registry.withdraw_service(theirs)
    assert jobs.connections.announce_service()


def test_an_api_does_not_start_on_another_services_queue(fresh: Stack, tmp_path: Path) -> None:
    fresh.start_api()
    (tmp_path / "other").mkdir()
    with database(tmp_path / "other") as url:
        other = Stack(tmp_path / "other", fresh.redis_url, url, fresh.settings)
        refused = other._start("api", ["-m", "streametrics", "api"])
        assert refused.wait(timeout=60) == 2
    assert OTHER_DATABASE in other.log()
