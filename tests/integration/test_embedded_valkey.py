"""The embedded Valkey, for real: what it keeps, what it refuses, and which queues are refused."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
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
        url = f"redis://guest:pw@127.0.0.1:{queue.port}/0"
        assert broker.require_safe(url) == []


def test_an_old_redis_is_refused() -> None:
    facts = QueueFacts("Redis", "5.0.14", "noeviction", 0, keeps_on_disk=True)
    assert facts.unsafe is not None
    assert "5.0.14 is too old" in facts.unsafe


def test_a_password_is_made_asked_for_and_never_shown(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    with running(queue) as process:
        password = (tmp_path / "queue" / "password").read_text().strip()
        assert len(password) == 64
        # Given one that knows none, and one that knows another
        for url in (f"redis://127.0.0.1:{queue.port}/0", f"redis://:swordfish@127.0.0.1:{queue.port}/0"):
            with pytest.raises(broker.QueueWantsPassword, match="REDIS_URL") as refused:
                broker.answers(url)
            assert "swordfish" not in str(refused.value)
        # Expect it to stand in files that nobody else may read, and on no command line
        assert password not in Path(f"/proc/{process.pid}/cmdline").read_text()
        for name in ("password", "valkey.conf"):
            assert stat.S_IMODE((tmp_path / "queue" / name).stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "queue").stat().st_mode) == 0o700
    # And to be the same after the next start, also where its file was left readable
    (tmp_path / "queue" / "valkey.conf").chmod(0o644)
    with running(queue_in(tmp_path, queue.port)):
        assert broker.answers_now(f"redis://:{password}@127.0.0.1:{queue.port}/0")
        assert stat.S_IMODE((tmp_path / "queue" / "valkey.conf").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")
def test_another_account_reaches_neither_queue_nor_files(tmp_path: Path) -> None:
    # Given a folder that others may enter, as far as its parents go
    tmp_path.chmod(0o755)
    queue = queue_in(tmp_path / "data")
    with running(queue), redis.Redis.from_url(queue.url) as client:
        client.set("a", "b")
        program = f"""
            import encodings.idna, os, socket
            os.setgid(65534); os.setuid(65534)
            with socket.create_connection(("127.0.0.1", {queue.port})) as other:
                other.sendall(b"GET a\\r\\n")
                print(other.recv(100))
            for name in ("password", "valkey.conf", "appendonlydir"):
                try:
                    os.listdir({str(tmp_path / "data" / "queue")!r})
                    print("entered")
                except PermissionError:
                    print("refused")
        """
        finished = subprocess.run(
            [sys.executable, "-I", "-S", "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
        )
    assert "NOAUTH" in finished.stdout
    assert "entered" not in finished.stdout


def test_what_the_version_before_has_queued_is_there_behind_the_password(tmp_path: Path) -> None:
    # Given an append-only file of a queue without a password, with its configuration
    queue = queue_in(tmp_path)
    command = queue.prepare()
    configuration = tmp_path / "queue" / "valkey.conf"
    configuration.write_text(configuration.read_text().replace("requirepass", "# requirepass"))
    (tmp_path / "queue" / "password").unlink()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until(lambda: broker.answers_now(queue.url), within_s=20, what="the queue answers")
        with redis.Redis.from_url(queue.url) as client:
            client.rpush("live", "job")
    finally:
        process.terminate()
        process.wait()
    # Expect this version to have it, behind a password
    with running(queue_in(tmp_path, queue.port)) as _, redis.Redis.from_url(queue.url) as client:
        assert client.lrange("live", 0, -1) == [b"job"]
        with pytest.raises(broker.QueueWantsPassword):
            broker.answers(f"redis://127.0.0.1:{queue.port}/0")


def test_no_answer_is_a_sentence_in_time() -> None:
    with pytest.raises(QueueUnavailable, match="did not answer for 1 s") as refused:
        broker.wait_until_answers(f"redis://:secret@127.0.0.1:{free_port()}/0", within_s=1)
    assert "secret" not in str(refused.value)
