"""What happens when parts of the service die, stop or vanish in the middle of work."""

import contextlib
import os
import signal
import sqlite3
import time
from pathlib import Path

import psutil
import pytest
import redis
import requests

from streametrics.domain.job import JobState
from tests.support.gate import GATED, engine_calls, wait_at_gate
from tests.support.jobs import Jobs
from tests.support.media import plain_wav, tone
from tests.support.stack import RedisServer, Stack, database, until

CHUNK = plain_wav(tone(3.0, 16_000), 16_000)


def test_a_worker_killed_in_the_middle_of_the_sound_is_made_good_by_another(fresh: Stack) -> None:
    fresh.start_api()
    worker = fresh.start_worker(app=GATED, name="first")
    fresh.start_worker(app="streametrics.celery_app", name="summarise", queues="summarise", pool="threads")
    task_id = fresh.submit(CHUNK)
    wait_at_gate(fresh)

    os.killpg(worker.pid, signal.SIGKILL)
    (fresh.gate / "open").touch()
    fresh.start_worker(app=GATED, name="second")
    status = fresh.finished(task_id)

    assert status["status"] == "done"
    assert status["result"]["text"] == "word0 word1 word2"


def test_a_child_killed_in_the_middle_is_replaced_by_its_own_worker(fresh: Stack) -> None:
    fresh.start_api()
    fresh.start_worker(app=GATED, name="only", queues="live,long")
    fresh.start_worker(name="summarise", queues="summarise", pool="threads")
    task_id = fresh.submit(CHUNK)

    os.kill(wait_at_gate(fresh), signal.SIGKILL)
    (fresh.gate / "open").touch()

    assert fresh.finished(task_id)["status"] == "done"


def test_no_second_transcription_when_the_first_had_finished(fresh: Stack) -> None:
    fresh.start_api()
    (fresh.gate / "open").touch()
    fresh.start_worker(app=GATED, name="transcribe")
    writer = fresh.start_worker(app=GATED, name="first", queues="summarise", pool="threads")
    task_id = fresh.submit(CHUNK)
    until(lambda: list(fresh.gate.glob("summary-at-*")), within_s=20, what="the writer is at the gate")
    calls = engine_calls(fresh)

    os.killpg(writer.pid, signal.SIGKILL)
    (fresh.gate / "open-summary").touch()
    fresh.start_worker(app=GATED, name="second", queues="summarise", pool="threads")

    assert fresh.finished(task_id)["status"] == "done"
    assert engine_calls(fresh) == calls
    assert len(calls) == 3


def test_a_job_that_kills_its_process_ends_after_three_attempts(fresh: Stack) -> None:
    fresh.start_api()
    fresh.start_worker(app=GATED, name="only")
    (fresh.gate / "die").touch()

    status = fresh.finished(fresh.submit(CHUNK), within_s=120)

    assert (status["status"], status["code"]) == ("error", "worker_lost")
    assert len(engine_calls(fresh)) == 3
    until(lambda: fresh.audio_files == [], within_s=5, what="its audio is deleted")


def test_a_worker_that_is_asked_to_stop_finishes_what_it_has(fresh: Stack) -> None:
    fresh.start_api()
    worker = fresh.start_worker(app=GATED, name="only")
    task_id = fresh.submit(CHUNK)
    wait_at_gate(fresh)

    worker.terminate()
    until(lambda: "arm shutdown" in fresh.log(), within_s=10, what="it heard")
    (fresh.gate / "open").touch()
    worker.wait(timeout=30)

    assert fresh.status(task_id)["current_step"] == "transcription_complete"


def test_a_worker_that_is_made_to_stop_gives_its_job_back_without_counting_a_try(fresh: Stack) -> None:
    fresh.settings["LEASE_S"] = "600"  # so that recovery has no hand in it
    fresh.start_api()
    worker = fresh.start_worker(app=GATED, name="only")
    task_id = fresh.submit(CHUNK)
    wait_at_gate(fresh)

    worker.terminate()
    until(lambda: "arm shutdown" in fresh.log(), within_s=10, what="it heard")
    worker.send_signal(signal.SIGQUIT)
    worker.wait(timeout=30)
    (fresh.gate / "open").touch()
    (fresh.gate / "open-summary").touch()
    fresh.start_worker(app=GATED, name="all", queues="live,long,summarise", pool="solo")

    assert "event=released count=1" in fresh.log()
    assert fresh.finished(task_id)["status"] == "done"


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_work_that_never_ends_is_stopped_at_its_deadline(fresh: Stack, pool: str) -> None:
    fresh.settings |= {"TASK_TIME_LIMIT_S": "4", "TASK_SOFT_TIME_LIMIT_S": "3"}
    fresh.start_api()
    fresh.start_worker(app=GATED, name="only", pool=pool)

    status = fresh.finished(fresh.submit(CHUNK), within_s=30)

    assert (status["status"], status["code"]) == ("error", "timed_out")
    until(lambda: fresh.audio_files == [], within_s=5, what="its audio is deleted")


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_work_in_c_that_keeps_the_interpreters_lock_ends_its_process_and_not_the_service(
    fresh: Stack, pool: str
) -> None:
    fresh.settings |= {"TASK_TIME_LIMIT_S": "6", "TASK_SOFT_TIME_LIMIT_S": "5"}
    fresh.start_api()
    worker = fresh.start_worker(app=GATED, name="only", pool=pool)
    (fresh.gate / "hold").touch()

    status = fresh.finished(fresh.submit(CHUNK), within_s=30)

    assert (status["status"], status["code"]) == ("error", "timed_out")
    assert fresh.audio_files == []
    assert len(engine_calls(fresh)) == 1, "it ran once"
    (fresh.gate / "hold").unlink()
    (fresh.gate / "open").touch()
    if pool == "solo":
        # Nobody brings this one back here; the supervisor does.
        assert worker.wait(timeout=60) == 1
        fresh.start_worker(app=GATED, name="only", pool=pool)
    next_one = fresh.submit(CHUNK)
    until(lambda: fresh.status(next_one)["progress"] >= 50, within_s=60, what="the next job is heard")


def test_a_message_that_got_lost_is_sent_again(fresh: Stack) -> None:
    fresh.start_api()
    task_id = fresh.submit(CHUNK)
    client = redis.Redis.from_url(fresh.redis_url)
    assert client.delete("live") == 1
    client.close()

    (fresh.gate / "open").touch()
    (fresh.gate / "open-summary").touch()
    fresh.start_worker(app=GATED, name="transcribe")
    fresh.start_worker(app=GATED, name="summarise", queues="summarise", pool="threads")

    assert fresh.finished(task_id)["status"] == "done"


def test_a_solo_worker_over_all_queues_does_everything(fresh: Stack) -> None:
    fresh.start_api()
    fresh.start_worker(name="all", queues="live,long,summarise", pool="solo")

    assert fresh.finished(fresh.submit(CHUNK))["status"] == "done"
    assert requests.get(fresh.url + "/health/ready", timeout=5).json()["status"] == "ready"


def test_a_result_expires_and_is_then_forgotten(fresh: Stack) -> None:
    fresh.settings |= {"RESULT_TTL_S": "1", "TOMBSTONE_DAYS": "0.00006"}
    fresh.start_all()
    task_id = fresh.submit(CHUNK)
    fresh.finished(task_id)

    def answer() -> requests.Response:
        return requests.get(f"{fresh.url}/summarize/status/{task_id}", timeout=5)

    until(lambda: answer().status_code == 410, within_s=10, what="410")
    assert (answer().json()["status"], answer().json()["code"]) == ("error", "job_expired")
    until(lambda: answer().status_code == 404, within_s=20, what="404 once the tombstone is gone")


def test_a_worker_with_another_database_refuses_to_start(fresh: Stack, tmp_path: Path) -> None:
    fresh.start_api()
    other = tmp_path / "other"
    other.mkdir()
    with database(other) as url:
        fresh.database_url, ours = url, fresh.database_url
        worker = fresh._start("stranger", ["-m", "celery", "-A", "streametrics.celery_app", "worker", "-P", "solo"])
        fresh.database_url = ours

        assert worker.wait(timeout=30) != 0

    assert "database is not the API's" in (fresh.folder / "stranger.log").read_text()


def test_the_key_guards_everything_but_the_open_paths(fresh: Stack) -> None:
    fresh.settings["INTERNAL_API_KEY"] = key = "a-key-of-thirty-two-characters-!!"
    fresh.start_api()

    for path in ("/", "/health/live"):
        assert requests.get(fresh.url + path, timeout=5).status_code == 200
    for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}):
        response = requests.get(fresh.url + "/summarize/status/x", headers=headers, timeout=5)
        assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        assert requests.get(fresh.url + "/summarize/status/x", headers=headers, timeout=5).status_code == 404
    assert fresh.post(CHUNK).status_code == 401
    assert fresh.audio_files == []
    assert key not in fresh.log()


def test_the_web_process_stays_small_and_loads_no_engine(fresh: Stack) -> None:
    api = fresh.start_api()
    for _ in range(5):
        fresh.submit(CHUNK)

    process = psutil.Process(api.pid)
    libraries = {Path(entry.path).name for entry in process.memory_maps()}

    assert process.memory_info().rss < 150_000_000
    assert not [name for name in libraries if "torch" in name or "ctranslate2" in name]


@pytest.fixture
def own_queue(fresh: Stack, tmp_path: Path) -> RedisServer:
    """A queue that this test may stop, whatever server the others use."""
    server = RedisServer(tmp_path / "own")
    server.start()
    fresh.redis_url = server.url
    return server


@pytest.mark.alone
def test_while_the_queue_is_away_nothing_is_accepted_and_status_answers_from_the_row(
    fresh: Stack, own_queue: RedisServer
) -> None:
    fresh.start_api()
    waiting = fresh.submit(CHUNK)
    own_queue.stop()

    started = time.monotonic()
    response = fresh.post(CHUNK)
    posted_s = time.monotonic() - started
    started = time.monotonic()
    status = fresh.status(waiting)
    polled_s = time.monotonic() - started

    assert (response.status_code, response.json()["code"]) == (503, "queue_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert status["status"] == "pending"
    assert posted_s <= 5 and polled_s <= 3
    assert len(fresh.audio_files) == 1, "only the first job's audio is kept"
    assert requests.get(fresh.url + "/health/ready", timeout=5).status_code == 503


def test_a_queue_that_lost_its_memory_loses_no_job(fresh: Stack, own_queue: RedisServer) -> None:
    (fresh.gate / "open-summary").touch()
    fresh.start_api()
    fresh.start_worker(app=GATED, name="transcribe")
    fresh.start_worker(app=GATED, name="summarise", queues="summarise", pool="threads")
    task_ids = [fresh.submit(CHUNK) for _ in range(3)]
    wait_at_gate(fresh)

    client = redis.Redis.from_url(own_queue.url)
    client.flushall()
    client.close()
    status = fresh.status(task_ids[0])
    (fresh.gate / "open").touch()

    assert (status["current_step"], status["progress"]) == ("transcribing", 0)
    assert [fresh.finished(task_id)["status"] for task_id in task_ids] == ["done"] * 3
    own_queue.stop()


def test_a_database_in_use_by_another_writer_is_waited_for(fresh: Stack) -> None:
    if not fresh.database_url.startswith("sqlite"):
        pytest.skip("SQLite alone has one writer at a time")
    fresh.start_api()
    other = sqlite3.connect(fresh.database_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE facts SET value = value")
    readable = requests.get(f"{fresh.url}/summarize/status/x", timeout=5).status_code

    other.execute("COMMIT")
    other.close()

    assert readable == 404
    assert fresh.post(CHUNK).status_code == 200


def test_what_a_dead_child_held_is_freed_though_no_api_lives(fresh: Stack) -> None:
    api = fresh.start_api()
    fresh.start_worker(app=GATED, name="only", queues="live,long")
    task_id = fresh.submit(CHUNK)
    child = wait_at_gate(fresh)

    os.killpg(api.pid, signal.SIGKILL)
    api.wait(timeout=10)
    os.kill(child, signal.SIGKILL)
    (fresh.gate / "open").touch()

    settings = fresh.own_settings()
    with contextlib.closing(Jobs(settings)) as jobs:
        heard = JobState.TRANSCRIBED
        until(lambda: jobs.service.status(task_id).state is heard, within_s=60, what="another child has heard it")
