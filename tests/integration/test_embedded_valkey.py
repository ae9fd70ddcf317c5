"""The embedded Valkey, for real: what it keeps, what it refuses, and which queues are refused."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from streametrics.errors import QueueUnavailable, UnsafeSettings
from streametrics.preflight import broker
from streametrics.preflight.broker import QueueFacts
from streametrics.settings import Settings
from streametrics.supervisor.embedded_valkey import EmbeddedQueue
from tests.support.ports import free_port
from tests.support.stack import until


def queue_in(folder: Path, port: int | None = None) -> EmbeddedQueue:
    return EmbeddedQueue(Settings(_env_file=None, data_dir=folder, queue_port=port or free_port()))


@contextlib.contextmanager
def running(queue: EmbeddedQueue, *more: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([*queue.prepare(), *more], stdout=subprocess.DEVNULL)
    try:
        until(lambda: broker.answers_now(queue.url), within_s=20, what="the queue answers")
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["plain", "with a space", 'with "quotes"', "ünï", "back\\slash"])
def test_it_keeps_its_file_in_the_data_folder_whatever_its_name(name: str, tmp_path: Path) -> None:
    queue = queue_in(tmp_path / name)
    with running(queue), redis.Redis.from_url(queue.url) as client:
        assert client.config_get("dir")["dir"] == str(tmp_path / name / "queue")
        assert (tmp_path / name / "queue" / "appendonlydir").is_dir()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_queued_survives(end: signal.Signals, tmp_path: Path) -> None:
    # Given a queue with something in it
    queue = queue_in(tmp_path)
    with running(queue) as process, redis.Redis.from_url(queue.url) as client:
        for number in range(100):
            client.rpush("live", f"job {number}")
        # When it is stopped, or killed once the disk has all of it: it writes when the disk has time, a second later at
        # most; what a kill takes before that maintenance sends again
        assert client.execute_command("WAITAOF", 1, 0, 10_000)[0] == 1
        process.send_signal(end)
        process.wait(timeout=10)
    # Expect all of it after the next start
    with running(queue), redis.Redis.from_url(queue.url) as client:
        assert client.llen("live") == 100


def test_it_is_safe_and_for_this_machine_only(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    with running(queue), redis.Redis.from_url(queue.url) as client:
        assert broker.require_safe(queue.url) == []
        assert client.config_get("bind")["bind"] == "127.0.0.1"
        facts = broker.facts(queue.url)
        assert facts.software == "Valkey"
        assert facts.maxmemory_policy == "noeviction"
        assert facts.keeps_on_disk


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_queue_that_drops_jobs_is_refused_by_name(policy: str, tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    with running(queue, "--maxmemory-policy", policy), pytest.raises(UnsafeSettings, match=f"{policy}.*noeviction"):
        broker.require_safe(queue.url)


def test_a_queue_that_may_forget_is_warned_of(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    with running(queue, "--maxmemory-policy", "volatile-lru", "--appendonly", "no"):
        warnings = broker.require_safe(queue.url)
    assert len(warnings) == 2
    assert "volatile-lru" in warnings[0]
    assert "nothing on disk" in warnings[1]


def test_a_server_that_forbids_config_is_taken_as_it_is(tmp_path: Path) -> None:
    # Given a hosted server's rules
    queue = queue_in(tmp_path)
    with running(queue, "--appendonly", "no"), redis.Redis.from_url(queue.url) as admin:
        admin.execute_command("ACL", "SETUSER", "guest", "on", ">pw", "~*", "+@all", "-config")
        url = queue.url.replace("redis://", "redis://guest:pw@")
        assert broker.require_safe(url) == []


def test_an_old_redis_is_refused() -> None:
    facts = QueueFacts("Redis", "5.0.14", "noeviction", 0, keeps_on_disk=True)
    assert facts.unsafe is not None
    assert "5.0.14 is too old" in facts.unsafe


def test_a_password_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    process = subprocess.Popen([*queue.prepare(), "--requirepass", "sesame"], stdout=subprocess.DEVNULL)
    try:
        with_password = queue.url.replace("redis://", "redis://:sesame@")
        until(lambda: broker.answers_now(with_password), within_s=20, what="the queue answers")
        with pytest.raises(broker.QueueWantsPassword, match="REDIS_URL"):
            broker.answers(queue.url)
        wrong = queue.url.replace("redis://", "redis://:swordfish@")
        with pytest.raises(broker.QueueWantsPassword) as refused:
            broker.answers(wrong)
        assert "swordfish" not in str(refused.value)
    finally:
        process.kill()
        process.wait()


def test_no_answer_is_a_sentence_in_time() -> None:
    with pytest.raises(QueueUnavailable, match="did not answer for 1 s") as refused:
        broker.wait_until_answers(f"redis://:secret@127.0.0.1:{free_port()}/0", within_s=1)
    assert "secret" not in str(refused.value)
